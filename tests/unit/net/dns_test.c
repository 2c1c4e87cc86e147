/* dns: the server that DNSCACHEIP names */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/dns.h"

static const struct {
	const char *what, *in;
	int want;
	const char *ip;
	unsigned port;
} rows[] = {
    {"an IPv4 address", "127.0.0.1", 0, "127.0.0.1", 53},
    {"with a port", "127.0.0.1:5353", 0, "127.0.0.1", 5353},
    {"an IPv6 address", "::1", 0, "::1", 53},
    {"in brackets", "[::1]", 0, "::1", 53},
    {"in brackets with a port", "[::1]:5353", 0, "::1", 5353},
    {"the bare one is all address", "2001:db8::1:5353", 0, "2001:db8::1:5353",
	53},
    {"IPv4 in brackets too", "[10.0.0.1]:1", 0, "10.0.0.1", 1},
    {"the highest port", "10.0.0.1:65535", 0, "10.0.0.1", 65535},
    {"a port too high", "10.0.0.1:65536", -1, NULL, 0},
    {"port 0", "10.0.0.1:0", -1, NULL, 0},
    {"no digits", "10.0.0.1:", -1, NULL, 0},
    {"bytes behind the port", "10.0.0.1:53x", -1, NULL, 0},
    {"a name", "localhost", -1, NULL, 0},
    {"an open bracket", "[::1", -1, NULL, 0},
    {"bytes behind the bracket", "[::1]53", -1, NULL, 0},
    {"nothing", "", -1, NULL, 0},
    {"a bracket alone", "[", -1, NULL, 0},
    {"empty brackets", "[]:53", -1, NULL, 0},
};

static void
reads_servers(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ip ip;
		unsigned port;

		print_message("%s\n", rows[i].what);
		assert_int_equal(
		    dns_parse_server(span_of(rows[i].in), &ip, &port),
		    rows[i].want);
		if (rows[i].want == -1)
			continue;
		str_clear(&text);
		ip_append(&text, &ip);
		assert_string_equal(text.s, rows[i].ip);
		assert_int_equal(port, rows[i].port);
	}
	str_free(&text);
}

static void
opens_what_it_is_told(void **state)
{
	struct dns *dns;
	struct dns_records records;

	(void)state;
	assert_int_equal(setenv("DNSCACHEIP", "nonsense", 1), 0);
	assert_null(dns_open());
	assert_int_equal(setenv("DNSCACHEIP", "[::1]:1", 1), 0);
	dns = dns_open();
	if (dns == NULL)
		skip(); /* a libc that cannot be told */
	assert_int_equal(
	    dns_ask(dns, span_of("not a name"), DNS_TYPE_MX, &records),
	    DNS_NO_NAME);
	assert_int_equal(records.count, 0);
	dns_close(dns);
	dns_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_servers),
	    cmocka_unit_test(opens_what_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
