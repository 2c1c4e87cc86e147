/* outgoing: which own address connections leave from */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/outgoing.h"

static const struct {
	const char *what, *first, *second;
	int want;
	const char *four, *six;
} rows[] = {
    {"one for IPv4", "192.0.2.1", NULL, 0, "192.0.2.1", NULL},
    {"one of each kind", "[2001:db8::1]", "192.0.2.1", 0, "192.0.2.1",
	"2001:db8::1"},
    {"the first of a kind counts", "192.0.2.1", "192.0.2.2", 0, "192.0.2.1",
	NULL},
    {"none by its name", "0.0.0.0", NULL, 0, "0.0.0.0", NULL},
    {"a name", "localhost", NULL, -1, NULL, NULL},
    {"an address and more", "192.0.2.1 x", NULL, -1, NULL, NULL},
};

static void
check(const struct ip *ip, const char *want)
{
	struct str text = STR_INIT;

	if (ip->version != 0)
		ip_append(&text, ip);
	assert_string_equal(text.s, want == NULL ? "" : want);
	str_free(&text);
}

static void
takes_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct outgoing outgoing = OUTGOING_INIT;

		print_message("%s\n", rows[i].what);
		assert_int_equal(
		    outgoing_add(&outgoing, span_of(rows[i].first)),
		    rows[i].want);
		if (rows[i].second != NULL)
			assert_int_equal(
			    outgoing_add(&outgoing, span_of(rows[i].second)),
			    0);
		check(&outgoing.four, rows[i].four);
		check(&outgoing.six, rows[i].six);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(takes_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
