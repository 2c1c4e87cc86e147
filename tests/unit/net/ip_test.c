/* ip: reading, writing and own addresses */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/ip.h"

static const struct {
	const char *what, *in;
	int want, want_literal;
	const char *text;
} rows[] = {
    {"a dotted quad", "192.0.2.1", 0, 0, "192.0.2.1"},
    {"IPv6 is written short", "2001:DB8:0:0::1", 0, 0, "2001:db8::1"},
    {"a mapped address is the IPv4 one", "::ffff:10.0.0.1", 0, 0, "10.0.0.1"},
    {"brackets are a literal only", "[192.0.2.1]", -1, 0, "192.0.2.1"},
    {"IPv6 in brackets", "[::1]", -1, 0, "::1"},
    {"the tag of SMTP", "[IPv6:::1]", -1, 0, "::1"},
    {"the tag in any case", "[ipv6:2001:db8::2]", -1, 0, "2001:db8::2"},
    {"the tag does not fit IPv4", "[IPv6:192.0.2.1]", -1, -1, NULL},
    {"an open bracket", "[192.0.2.1", -1, -1, NULL},
    {"bytes behind the bracket", "[192.0.2.1]x", -1, -1, NULL},
    {"three numbers", "10.0.1", -1, -1, NULL},
    {"a number too big", "10.0.0.256", -1, -1, NULL},
    {"a name", "example.org", -1, -1, NULL},
    {"nothing", "", -1, -1, NULL},
    {"empty brackets", "[]", -1, -1, NULL},
    {"a lone bracket", "[", -1, -1, NULL},
    {"a zone is not taken", "fe80::1%lo", -1, -1, NULL},
    {"far too long", "1111111111111111111111111111111111111111111111111111", -1,
	-1, NULL},
};

static void
reads_and_writes(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ip ip;

		print_message("%s\n", rows[i].what);
		assert_int_equal(
		    ip_parse(span_of(rows[i].in), &ip), rows[i].want);
		assert_int_equal(ip_parse_literal(span_of(rows[i].in), &ip),
		    rows[i].want_literal);
		if (rows[i].text == NULL)
			continue;
		str_clear(&text);
		ip_append(&text, &ip);
		assert_string_equal(text.s, rows[i].text);
	}
	str_free(&text);
}

static void
refuses_nul(void **state)
{
	struct ip ip;

	(void)state;
	assert_int_equal(ip_parse((struct span){"1.2.3.4\0x", 9}, &ip), -1);
}

static void
knows_its_own(void **state)
{
	static const struct {
		const char *what, *ip;
		bool want;
	} own_rows[] = {
	    {"0.0.0.0 is mine", "0.0.0.0", true},
	    {"all of net 127", "127.9.8.7", true},
	    {":: is mine", "::", true},
	    {"::1 is mine", "::1", true},
	    {"::2 is not", "::2", false},
	    {"the address of an interface", "192.0.2.7", true},
	    {"its IPv6 address", "2001:db8::7", true},
	    {"a mapped one", "::ffff:192.0.2.7", true},
	    {"its neighbour", "192.0.2.8", false},
	};
	struct ip ips[2], ip;
	struct ip_own own = {ips, 2, NULL, 0, 0};

	(void)state;
	assert_int_equal(ip_parse(span_of("192.0.2.7"), &ips[0]), 0);
	assert_int_equal(ip_parse(span_of("2001:db8::7"), &ips[1]), 0);
	for (size_t i = 0; i < COUNT(own_rows); i++) {
		print_message("%s\n", own_rows[i].what);
		assert_int_equal(ip_parse(span_of(own_rows[i].ip), &ip), 0);
		assert_int_equal(ip_is_own(&ip, &own), own_rows[i].want);
	}
}

static const struct {
	const char *what, *range, *ip;
	int want; /* -1: no range */
} range_rows[] = {
    {"an address is itself", "192.0.2.7", "192.0.2.7", 1},
    {"and not its neighbour", "192.0.2.7", "192.0.2.6", 0},
    {"a mask", "192.0.2.0/255.255.255.0", "192.0.2.99", 1},
    {"bits", "192.0.2.0/24", "192.0.2.99", 1},
    {"beyond the bits", "192.0.2.0/24", "192.0.3.0", 0},
    {"bits that are not whole bytes", "192.0.2.128/25", "192.0.2.127", 0},
    {"host bits do not count", "192.0.2.9/24", "192.0.2.99", 1},
    {"no bits: everything", "0.0.0.0/0", "198.51.100.1", 1},
    {"but only of its kind", "0.0.0.0/0", "2001:db8::1", 0},
    {"IPv6", "2001:db8::/32", "2001:db8:ffff::1", 1},
    {"IPv6 with a mask", "2001:db8::/ffff:ffff::", "2001:db9::1", 0},
    {"brackets", "[2001:db8::1]", "2001:db8::1", 1},
    {"too many bits", "192.0.2.0/33", "192.0.2.0", -1},
    {"too many bits for IPv6", "2001:db8::/129", "::", -1},
    {"a mask of the other kind", "2001:db8::/255.0.0.0", "::", -1},
    {"no bits behind the slash", "192.0.2.0/", "::", -1},
    {"a name", "localhost", "::", -1},
    {"nothing", "", "::", -1},
};

static void
knows_ranges(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(range_rows); i++) {
		struct ip_range range;
		struct ip ip;
		int want = range_rows[i].want;

		print_message("%s\n", range_rows[i].what);
		assert_int_equal(ip_parse(span_of(range_rows[i].ip), &ip), 0);
		assert_int_equal(
		    ip_range_parse(span_of(range_rows[i].range), &range),
		    want == -1 ? -1 : 0);
		if (want != -1)
			assert_int_equal(ip_range_has(&range, &ip), want);
	}
}

static void
is_told_of_others(void **state)
{
	static const struct span more[] = {
	    SPAN_LITERAL("198.51.100.0/24"), SPAN_LITERAL("2001:db8::1")};
	static const struct span never[] = {
	    SPAN_LITERAL("198.51.100.9"), SPAN_LITERAL("127.0.0.2")};
	static const struct span bad[] = {SPAN_LITERAL("x")};
	static const struct {
		const char *what, *ip;
		bool want;
	} own_rows[] = {
	    {"one of moreipme", "198.51.100.8", true},
	    {"another one of it", "2001:db8::1", true},
	    {"notipme beats moreipme", "198.51.100.9", false},
	    {"and net 127", "127.0.0.2", false},
	    {"but only what it names", "127.0.0.1", true},
	    {"a stranger", "203.0.113.1", false},
	};
	struct ip_own own = IP_OWN_INIT;
	struct ip ip;

	(void)state;
	assert_int_equal(ip_own_add(&own, false, more, 2), 0);
	assert_int_equal(ip_own_add(&own, true, never, 2), 0);
	for (size_t i = 0; i < COUNT(own_rows); i++) {
		print_message("%s\n", own_rows[i].what);
		assert_int_equal(ip_parse(span_of(own_rows[i].ip), &ip), 0);
		assert_int_equal(ip_is_own(&ip, &own), own_rows[i].want);
	}
	assert_int_equal(ip_own_add(&own, true, bad, 1), -1);
	ip_own_free(&own);
}

static void
asks_the_system(void **state)
{
	struct ip_own own;

	(void)state;
	assert_int_equal(ip_own_load(&own), 0);
	ip_own_free(&own);
	assert_int_equal(own.count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_and_writes),
	    cmocka_unit_test(refuses_nul),
	    cmocka_unit_test(knows_its_own),
	    cmocka_unit_test(knows_ranges),
	    cmocka_unit_test(is_told_of_others),
	    cmocka_unit_test(asks_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
