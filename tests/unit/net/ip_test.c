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
	struct ip_own own = {ips, 2};

	(void)state;
	assert_int_equal(ip_parse(span_of("192.0.2.7"), &ips[0]), 0);
	assert_int_equal(ip_parse(span_of("2001:db8::7"), &ips[1]), 0);
	for (size_t i = 0; i < COUNT(own_rows); i++) {
		print_message("%s\n", own_rows[i].what);
		assert_int_equal(ip_parse(span_of(own_rows[i].ip), &ip), 0);
		assert_int_equal(ip_is_own(&ip, &own), own_rows[i].want);
	}
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
	    cmocka_unit_test(asks_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
