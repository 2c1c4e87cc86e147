/* AUTH PLAIN: base64 and the three parts */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pop3/sasl_plain.h"

static const struct {
	const char *what, *input;
	const char *user; /* NULL: refused */
	const char *password;
} rows[] = {
    {"no authorization", "AGpvZQBzZWNyZXQ=", "joe", "secret"},
    {"one character less", "AGpvZQBzZWNyZQ==", "joe", "secre"},
    {"and no padding", "AGpvZQBzZWNyZXQh", "joe", "secret!"},
    {"the same authorization", "am9lAGpvZQB4", "joe", "x"},
    {"another authorization", "YW5uAGpvZQB4", NULL, NULL},
    {"no user", "AABzZWNyZXQ=", NULL, NULL},
    {"no password", "AGpvZQA=", NULL, NULL},
    {"two parts", "am9lAHg=", NULL, NULL},
    {"one part", "am9l", NULL, NULL},
    {"four parts", "AGpvZQB4AHk=", NULL, NULL},
    {"nothing", "", NULL, NULL},
    {"cancelled", "*", NULL, NULL},
    {"padding alone", "====", NULL, NULL},
    {"padding inside", "AG==vZQBzZWNyZXQ", NULL, NULL},
    {"three paddings", "AGpvZQBzZWNyZ===", NULL, NULL},
    {"no padding where it must be", "AGpvZQBzZWNyZXQ", NULL, NULL},
    {"left-over bits", "AGpvZQBzZWNyZXR=", NULL, NULL},
    {"a byte that is not base64", "AGpvZQBz WNyZXQ=", NULL, NULL},
    {"a byte over 127", "AGpvZQBz\xc3WNyZXQ=", NULL, NULL},
};

static void
decodes_rows(void **state)
{
	struct str decoded = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span user, password;
		int result = sasl_plain_decode(
		    span_of(rows[i].input), &decoded, &user, &password);

		if (result != (rows[i].user != NULL ? 0 : -1))
			fail_msg("%s: got %d", rows[i].what, result);
		if (result == 0 &&
		    (!span_is(user, rows[i].user) ||
			!span_is(password, rows[i].password)))
			fail_msg("%s: other parts", rows[i].what);
	}
	str_free(&decoded);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decodes_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
