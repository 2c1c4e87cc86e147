/* verp: a sender of its own for each recipient */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "send/verp.h"

static const struct {
	const char *what, *sender, *recipient, *want, *base;
	bool is;
} rows[] = {
    {"a list", "list-@lh.example-@[]", "ok@local.example",
	"list-ok=local.example@lh.example", "list-@lh.example", true},
    {"a virtual recipient shows its prefix", "list-@lh.example-@[]",
	"alias-w-a@b.wild.example", "list-alias-w-a=b.wild.example@lh.example",
	"list-@lh.example", true},
    {"only the last at counts", "a@b@h-@[]", "c@d@e", "a@bc@d=e@h", "a@b@h",
	true},
    {"no second at", "x-@[]", "u@h", "x-@[]", "x-@[]", false},
    {"not quite the ending", "a@b-@[", "u@h", "a@b-@[", "a@b-@[", false},
    {"a plain sender", "a@b", "u@h", "a@b", "a@b", false},
    {"the empty sender", "", "u@h", "", "", false},
    {"a double bounce", "#@[]", "u@h", "#@[]", "#@[]", false},
    {"the ending alone", "-@[]", "u@h", "-@[]", "-@[]", false},
    {"a recipient without at", "l-@h-@[]", "u", "l-@h-@[]", "l-@h", true},
};

static void
expands(void **state)
{
	struct str got = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span sender = span_of(rows[i].sender);

		verp_expand(&got, sender, span_of(rows[i].recipient));
		if (strcmp(got.s, rows[i].want) != 0)
			fail_msg("%s: got %s", rows[i].what, got.s);
		if (!span_is(verp_base(sender), rows[i].base) ||
		    verp_is(sender) != rows[i].is)
			fail_msg("%s: base", rows[i].what);
	}
	str_free(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(expands)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
