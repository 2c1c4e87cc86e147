/* mx: order, own addresses, and what is said when none is left */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "remote/mx.h"

/* A zone is lines "name TYPE value", where value may be SOFT. */
static bool route6;

static bool
has_route(const struct ip *ip)
{
	return ip->version == 4 || route6;
}

static void
add_record(struct dns_records *records, unsigned type, const char *value)
{
	struct dns_record *one = &records->list[records->count++];

	memset(one, 0, sizeof(*one));
	if (type == DNS_TYPE_MX) {
		char *end;

		one->preference = (unsigned)strtoul(value, &end, 10);
		assert_true(strlen(end + 1) < DNS_NAME_SIZE);
		memcpy(one->name, end + 1, strlen(end + 1) + 1);
	} else {
		assert_int_equal(ip_parse(span_of(value), &one->ip), 0);
	}
}

static enum dns_status
ask_zone(
    void *context, struct span name, unsigned type, struct dns_records *records)
{
	const char *type_name = type == DNS_TYPE_MX ? "MX"
	    : type == DNS_TYPE_A                    ? "A"
						    : "AAAA";
	bool has_name = false;

	*records = (struct dns_records)DNS_RECORDS_INIT;
	records->list = calloc(64, sizeof(*records->list));
	assert_non_null(records->list);
	for (const char *const *line = context; *line != NULL; line++) {
		size_t name_len = strcspn(*line, " ");
		const char *rest = *line + name_len + 1;
		size_t type_len = strcspn(rest, " ");

		if (name_len != name.len ||
		    memcmp(*line, name.s, name.len) != 0)
			continue;
		has_name = true;
		if (strlen(type_name) != type_len ||
		    memcmp(rest, type_name, type_len) != 0)
			continue;
		rest += type_len + 1;
		if (strcmp(rest, "SOFT") == 0) {
			dns_records_free(records);
			return DNS_SOFT;
		}
		add_record(records, type, rest);
	}
	if (records->count > 0)
		return DNS_FOUND;
	dns_records_free(records);
	return has_name ? DNS_NO_DATA : DNS_NO_NAME;
}

enum {
	LINES = 12
};

static const struct {
	const char *what, *host;
	const char *const zone[LINES];
	enum mx_status want;
	const char *text; /* "ip/preference " */
} rows[] = {
    {"by preference", "d",
	{"d MX 20 b", "d MX 10 a", "a A 10.0.0.1", "b A 10.0.0.2", NULL},
	MX_FOUND, "10.0.0.1/10 10.0.0.2/20 "},
    {"without MX by address", "d", {"d A 10.0.0.1", NULL}, MX_FOUND,
	"10.0.0.1/0 "},
    {"both kinds in turn, IPv6 first", "d",
	{"d MX 1 a", "a A 10.0.0.1", "a A 10.0.0.2", "a A 10.0.0.3",
	    "a AAAA 2001:db8::1", "a AAAA 2001:db8::2", NULL},
	MX_FOUND,
	"2001:db8::1/1 10.0.0.1/1 2001:db8::2/1 10.0.0.2/1 10.0.0.3/1 "},
    {"IPv6 alone", "d", {"d AAAA 2001:db8::1", "d AAAA 2001:db8::2", NULL},
	MX_FOUND, "2001:db8::1/0 2001:db8::2/0 "},
    {"no such host", "d", {NULL}, MX_NO_HOST, ""},
    {"a name without anything", "d", {"d TXT x", NULL}, MX_NO_HOST, ""},
    {"exchangers without addresses", "d", {"d MX 1 a", "d MX 2 b", NULL},
	MX_NO_ADDRESS, ""},
    {"the MX question fails", "d", {"d MX SOFT", "d A 10.0.0.1", NULL}, MX_SOFT,
	""},
    {"an address question fails", "d", {"d MX 1 a", "a A SOFT", NULL}, MX_SOFT,
	""},
    {"it fails, but another has an address", "d",
	{"d MX 1 a", "a A SOFT", "d MX 2 b", "b A 10.0.0.2", NULL}, MX_FOUND,
	"10.0.0.2/2 "},
    {"IPv6 fails, IPv4 is there", "d", {"d A 10.0.0.1", "d AAAA SOFT", NULL},
	MX_FOUND, "10.0.0.1/0 "},
    {"the host takes no mail", "d", {"d MX 0 ", NULL}, MX_NULL, ""},
    {"null among others is left out", "d",
	{"d MX 0 ", "d MX 5 a", "a A 10.0.0.1", NULL}, MX_FOUND, "10.0.0.1/5 "},
    {"I am the best", "d",
	{"d MX 1 a", "a A 192.0.2.7", "d MX 2 b", "b A 10.0.0.2", NULL},
	MX_IS_ME, ""},
    {"I am the second: only the first is used", "d",
	{"d MX 1 a", "a A 10.0.0.1", "d MX 2 me", "me A 192.0.2.7", "d MX 2 b",
	    "b A 10.0.0.2", "d MX 3 c", "c A 10.0.0.3", NULL},
	MX_FOUND, "10.0.0.1/1 "},
    {"equals of mine are left out", "d",
	{"d MX 2 b", "b A 10.0.0.2", "d MX 2 me", "me A 192.0.2.7", NULL},
	MX_IS_ME, ""},
    {"I am the second, the first fails for now", "d",
	{"d MX 1 a", "a A SOFT", "d MX 2 me", "me A 192.0.2.7", NULL}, MX_SOFT,
	""},
    {"loopback is mine", "d", {"d MX 1 a", "a A 127.0.0.1", NULL}, MX_IS_ME,
	""},
    {"0.0.0.0 is mine", "d", {"d MX 1 a", "a A 0.0.0.0", NULL}, MX_IS_ME, ""},
    {"::1 is mine", "d", {"d AAAA ::1", NULL}, MX_IS_ME, ""},
    {"one of several addresses is mine", "d",
	{"d MX 1 a", "a A 10.0.0.1", "a AAAA ::1", NULL}, MX_IS_ME, ""},
    {"a host that is an address", "10.0.0.9", {NULL}, MX_FOUND, "10.0.0.9/0 "},
    {"one in brackets", "[10.0.0.9]", {NULL}, MX_FOUND, "10.0.0.9/0 "},
    {"an IPv6 literal", "[IPv6:2001:db8::9]", {NULL}, MX_FOUND,
	"2001:db8::9/0 "},
    {"a literal that is mine", "[192.0.2.7]", {NULL}, MX_IS_ME, ""},
    {"each address once", "d",
	{"d MX 1 a", "d MX 2 b", "a A 10.0.0.1", "b A 10.0.0.1", "b A 10.0.0.2",
	    NULL},
	MX_FOUND, "10.0.0.1/1 10.0.0.2/2 "},
};

static struct ip mine[1];
static const struct ip_own own = {mine, 1, NULL, 0, 0};

static struct mx_source
source_of(const char *const *zone)
{
	assert_int_equal(ip_parse(span_of("192.0.2.7"), &mine[0]), 0);
	return (struct mx_source){.ask = ask_zone,
	    .context = (void *)(uintptr_t)zone,
	    .own = &own,
	    .has_route = has_route};
}

static void
write_targets(const struct mx_targets *targets, struct str *text)
{
	str_clear(text);
	for (size_t i = 0; i < targets->count; i++) {
		ip_append(text, &targets->list[i].ip);
		str_append_format(text, "/%u ", targets->list[i].preference);
	}
}

static void
finds(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	route6 = true;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct mx_source source = source_of(rows[i].zone);
		struct mx_targets targets;

		print_message("%s\n", rows[i].what);
		for (source.seed = 0; source.seed < 8; source.seed++) {
			assert_int_equal(
			    mx_find(&source, span_of(rows[i].host), &targets),
			    rows[i].want);
			write_targets(&targets, &text);
			assert_string_equal(text.s, rows[i].text);
		}
	}
	str_free(&text);
}

static void
ipv6_comes_last_without_a_route(void **state)
{
	static const char *const zone[] = {
	    "d AAAA 2001:db8::1", "d A 10.0.0.1", "d A 10.0.0.2", NULL};
	struct mx_source source = source_of(zone);
	struct mx_targets targets;
	struct str text = STR_INIT;

	(void)state;
	route6 = false;
	assert_int_equal(mx_find(&source, span_of("d"), &targets), MX_FOUND);
	write_targets(&targets, &text);
	assert_string_equal(text.s, "10.0.0.1/0 10.0.0.2/0 2001:db8::1/0 ");
	str_free(&text);
}

static void
relays_go_without_mx(void **state)
{
	static const char *const zone[] = {"r MX 1 other", "r A 127.0.0.1",
	    "other A 10.0.0.1", "soft A SOFT", "soft AAAA SOFT", NULL};
	struct mx_source source = source_of(zone);
	struct mx_targets targets;
	struct str text = STR_INIT;

	(void)state;
	route6 = true;
	assert_int_equal(
	    mx_find_relay(&source, span_of("r"), &targets), MX_FOUND);
	write_targets(&targets, &text);
	assert_string_equal(text.s, "127.0.0.1/0 ");
	assert_int_equal(
	    mx_find_relay(&source, span_of("[::1]"), &targets), MX_FOUND);
	write_targets(&targets, &text);
	assert_string_equal(text.s, "::1/0 ");
	assert_int_equal(
	    mx_find_relay(&source, span_of("none"), &targets), MX_NO_HOST);
	assert_int_equal(
	    mx_find_relay(&source, span_of("soft"), &targets), MX_SOFT);
	str_free(&text);
}

static enum dns_status
ask_endless(
    void *context, struct span name, unsigned type, struct dns_records *records)
{
	unsigned *asked = context;
	size_t count = type == DNS_TYPE_MX ? DNS_RECORDS_MAX : 300;

	(void)name;
	++*asked;
	records->count = count;
	records->list = calloc(count, sizeof(*records->list));
	assert_non_null(records->list);
	for (size_t i = 0; i < count; i++) {
		unsigned char bytes[16] = {0x20, 1, (unsigned char)*asked,
		    (unsigned char)i, (unsigned char)(i >> 8)};

		records->list[i].preference = 5;
		records->list[i].name[0] = 'x';
		records->list[i].ip =
		    ip_from_bytes(type == DNS_TYPE_A ? 4 : 6, bytes);
	}
	return DNS_FOUND;
}

static void
stops_at_its_limits(void **state)
{
	unsigned asked = 0;
	struct mx_source source = source_of(NULL);
	struct mx_targets targets;

	(void)state;
	source.ask = ask_endless;
	source.context = &asked;
	assert_int_equal(mx_find(&source, span_of("d"), &targets), MX_FOUND);
	assert_int_equal(targets.count, MX_TARGETS_MAX);
	assert_true(asked <= 1 + 2 * MX_HOSTS_MAX);
}

static void
sorts_at_random_within_a_preference(void **state)
{
	struct dns_record list[6];
	unsigned first_seen = 0;

	(void)state;
	for (unsigned seed = 0; seed < 200; seed++) {
		struct dns_records records = {list, COUNT(list)};

		memset(list, 0, sizeof(list));
		for (unsigned i = 0; i < COUNT(list); i++) {
			list[i].preference = i < 3 ? 20 : 10;
			list[i].name[0] = (char)('a' + i);
		}
		mx_sort(&records, seed);
		for (unsigned i = 0; i < COUNT(list); i++)
			assert_int_equal(list[i].preference, i < 3 ? 10 : 20);
		first_seen |= 1U << (list[0].name[0] - 'a');
	}
	assert_int_equal(first_seen, 7U << 3); /* d, e and f, each at times */
}

static void
knows_who_speaks_qmtp(void **state)
{
	unsigned found = 0;

	(void)state;
	for (unsigned preference = 0; preference <= 65535; preference++) {
		bool want = preference >= 12800 && preference < 13056 &&
		    preference % 16 == 1;

		assert_int_equal(mx_is_qmtp(preference), want);
		found += mx_is_qmtp(preference);
	}
	assert_int_equal(found, 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds),
	    cmocka_unit_test(ipv6_comes_last_without_a_route),
	    cmocka_unit_test(relays_go_without_mx),
	    cmocka_unit_test(stops_at_its_limits),
	    cmocka_unit_test(sorts_at_random_within_a_preference),
	    cmocka_unit_test(knows_who_speaks_qmtp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
