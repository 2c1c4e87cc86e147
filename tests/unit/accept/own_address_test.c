/* address literals of this host and of others */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "accept/own_address.h"

static const struct {
	const char *what;
	struct span input;
	int want;
} rows[] = {
    {"the loopback address", SPAN_LITERAL("[127.0.0.1]"), 1},
    {"an address for documentation", SPAN_LITERAL("[192.0.2.123]"), 0},
    {"an IPv6 address for documentation", SPAN_LITERAL("[IPv6:2001:db8::9]"),
	0},
    {"no brackets", SPAN_LITERAL("127.0.0.1"), 0},
    {"half a bracket", SPAN_LITERAL("[127.0.0.1"), 0},
    {"the other half", SPAN_LITERAL("127.0.0.1]"), 0},
    {"nothing inside", SPAN_LITERAL("[]"), 0},
    {"one bracket", SPAN_LITERAL("["), 0},
    {"nothing", SPAN_LITERAL(""), 0},
    {"a name", SPAN_LITERAL("[localhost]"), 0},
    {"too few numbers", SPAN_LITERAL("[127.1]"), 0},
    {"an IPv4 address with the prefix", SPAN_LITERAL("[IPv6:127.0.0.1]"), 0},
    {"an IPv6 address without it", SPAN_LITERAL("[::1]"), 0},
    {"a NUL", SPAN_LITERAL("[127.0.0.1\0]"), 0},
    {"longer than any address",
	SPAN_LITERAL("[IPv6:0000:0000:0000:0000:0000:0000:0000:0000:0000]"), 0},
};

static void
decides_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int got = own_address_is(rows[i].input);

		if (got != rows[i].want)
			fail_msg("%s: got %d", rows[i].what, got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decides_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
