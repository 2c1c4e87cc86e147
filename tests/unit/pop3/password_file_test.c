/* the lines of users/passwd */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pop3/password_file.h"

static const char text[] = "# comment:x:::\n"
			   "\n"
			   "joe:$6$a$b:501:100:/home/joe\n"
			   "joe:second:1:1:/\n"
			   "ann:hash:::/srv/ann mail  \n"
			   "bob:hash\n"
			   "eve\n"
			   "gap:h:501::/\n"
			   "pag:h::501:/\n"
			   "neg:h:-1:1:/\n"
			   "big:h:4294967295:1:/\n"
			   "max:h:4294967294:0:/\n"
			   "more:h:1:2:/a:b:c\n"
			   ":empty:::\n"
			   "end:last:7:8:/e";

static const struct {
	const char *what, *user;
	enum password_result result;
	const char *hash, *home;
	bool has_ids;
	uint32_t uid, gid;
} rows[] = {
    {"all fields; the first line counts", "joe", PASSWORD_FOUND, "$6$a$b",
	"/home/joe", true, 501, 100},
    {"no ids; spaces at the end go", "ann", PASSWORD_FOUND, "hash",
	"/srv/ann mail", false, 0, 0},
    {"missing fields are empty", "bob", PASSWORD_FOUND, "hash", "", false, 0,
	0},
    {"a name alone", "eve", PASSWORD_FOUND, "", "", false, 0, 0},
    {"another case is another user", "Joe", PASSWORD_NO_USER, "", "", false, 0,
	0},
    {"the start of a name", "jo", PASSWORD_NO_USER, "", "", false, 0, 0},
    {"a comment is no user", "# comment", PASSWORD_NO_USER, "", "", false, 0,
	0},
    {"uid without gid", "gap", PASSWORD_BAD_LINE, "", "", false, 0, 0},
    {"gid without uid", "pag", PASSWORD_BAD_LINE, "", "", false, 0, 0},
    {"a negative uid", "neg", PASSWORD_BAD_LINE, "", "", false, 0, 0},
    {"the uid that means none", "big", PASSWORD_BAD_LINE, "", "", false, 0, 0},
    {"the greatest uid", "max", PASSWORD_FOUND, "h", "/", true, 4294967294u, 0},
    {"what follows the home is ignored", "more", PASSWORD_FOUND, "h", "/a",
	true, 1, 2},
    {"the last line needs no LF", "end", PASSWORD_FOUND, "last", "/e", true, 7,
	8},
};

static void
finds_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct password_entry entry;
		enum password_result result = password_file_find(
		    span_of(text), span_of(rows[i].user), &entry);

		if (result != rows[i].result)
			fail_msg("%s: got %d", rows[i].what, (int)result);
		if (result != PASSWORD_FOUND)
			continue;
		if (!span_is(entry.hash, rows[i].hash) ||
		    !span_is(entry.home, rows[i].home) ||
		    entry.has_ids != rows[i].has_ids)
			fail_msg("%s: other fields", rows[i].what);
		if (entry.has_ids &&
		    (entry.uid != rows[i].uid || entry.gid != rows[i].gid))
			fail_msg("%s: other ids", rows[i].what);
	}
}

static void
skips_lines_with_nul(void **state)
{
	struct password_entry entry;

	(void)state;
	assert_int_equal(
	    password_file_find(SPAN_LITERAL("joe:a\0b:1:1:/\njoe:c:2:2:/\n"),
		SPAN_LITERAL("joe"), &entry),
	    PASSWORD_FOUND);
	assert_true(span_is(entry.hash, "c"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_rows),
	    cmocka_unit_test(skips_lines_with_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
