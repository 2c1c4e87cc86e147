/* assign_text: is a line of the passwd database an account? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/assign_text.h"
#include "base/attr.h"

#define LINE(text)                                                             \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}

static const struct {
	const char *what;
	struct span line;
	const char *want; /* its lines; NULL: no account */
} rows[] = {
    {"an account", LINE("joe:x:501:100:Joe:/home/joe:/bin/sh"),
	"=joe:joe:501:100:/home/joe:::\n"
	"+joe-:joe:501:100:/home/joe:-::\n"},
    {"more fields than seven", LINE("joe:x:5:6:::/bin/sh:more"),
	"=joe:joe:5:6::::\n+joe-:joe:5:6::-::\n"},
    {"six fields", LINE("joe:x:501:100:Joe:/home/joe"), NULL},
    {"no name", LINE(":x:501:100:::"), NULL},
    {"no uid", LINE("joe:x::100:::"), NULL},
    {"a gid that is none", LINE("joe:x:1:1x:::"), NULL},
    {"a NUL", LINE("joe:x:1:1:\0::"), NULL},
    {"nothing", LINE(""), NULL},
};

static void
test_rows(void **state)
{
	const struct assign_style style = {'-', "-"};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct assign_account account;
		struct str text = STR_INIT;
		int result = assign_parse_account(rows[i].line, &account);

		print_message("%s\n", rows[i].what);
		assert_int_equal(result, rows[i].want == NULL ? -1 : 0);
		if (result == 0) {
			assign_append_name(&text, account.user, &account,
			    (struct span){"", 0}, &style);
			assert_string_equal(text.s, rows[i].want);
		}
		str_free(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
