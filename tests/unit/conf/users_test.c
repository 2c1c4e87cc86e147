/* users: the rules of assign, as records and as answers */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/users.h"

#define JOE "joe:501:100:/home/joe:"

/* '~' stands for NUL in this file */
static const char assign[] = "=joe:" JOE "::\n"
			     "=Joe-List:" JOE "-:list:\n"
			     "+joe-:" JOE "-::\n"
			     "+joe-l-:" JOE "-:pre-:\n"
			     "+jo:jj:502:100:/home/jo:-::\n"
			     "+:alias:7790:2108:/alias:-::\n"
			     "=joe:late:1:1:/late:::\n"
			     "xodd:odd:503:100:/odd:::rest:is:ignored\n"
			     "+Up-X:up:504:100:/up:-::\n"
			     ".\n"
			     "not a rule\n";

static struct span
with_nuls(const char *text, struct str *to)
{
	str_clear(to);
	for (; *text != '\0'; text++)
		str_append_char(to, (char)(*text == '~' ? '\0' : *text));
	return str_span(to);
}

static const char *
temporary_name(void)
{
	static char name[] = "/tmp/users_test.XXXXXX";
	static int fd = -1;

	if (fd == -1) {
		fd = mkstemp(name);
		assert_true(fd != -1);
	}
	return name;
}

static int
compile(struct span text, const char *path)
{
	FILE *file = fopen(path, "w");
	struct cdb_writer writer;
	size_t line;
	int result;

	assert_non_null(file);
	cdb_writer_open(&writer, fileno(file));
	result = users_compile(text, &writer, &line);
	assert_int_equal(cdb_writer_finish(&writer), 0);
	cdb_writer_free(&writer);
	(void)fclose(file);
	return result;
}

static const struct {
	const char *what, *key, *want; /* want NULL: no record */
} records[] = {
    {"an exact rule", "!joe~", "joe~501~100~/home/joe~~"},
    {"an exact rule in capitals", "!joe-list~", "joe~501~100~/home/joe~-~list"},
    {"a start", "!joe-", "joe~501~100~/home/joe~-~"},
    {"a start that replaces", "!joe-l-", "joe~501~100~/home/joe~-~pre-"},
    {"a start without a dash", "!jo", "jj~502~100~/home/jo~-~"},
    {"the rule for the rest", "!", "alias~7790~2108~/alias~-~"},
    {"another first byte, and fields too many", "!odd~", "odd~503~100~/odd~~"},
    {"the last bytes of the starts", "", "-ox"},
    {"what follows the dot", "!ot a rule~", NULL},
};

static void
writes_records(void **state)
{
	const char *path = temporary_name();
	struct str key = STR_INIT, want = STR_INIT, data = STR_INIT;
	struct cdb cdb;
	FILE *file;

	(void)state;
	assert_int_equal(compile(span_of(assign), path), USERS_OK);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(cdb_open(&cdb, fileno(file)), 0);
	for (size_t i = 0; i < COUNT(records); i++) {
		int found =
		    cdb_find(&cdb, with_nuls(records[i].key, &key), &data);

		if (found != (records[i].want != NULL))
			fail_msg("%s: found %d", records[i].what, found);
		if (found &&
		    !span_equal(
			str_span(&data), with_nuls(records[i].want, &want)))
			fail_msg("%s: %s", records[i].what, data.s);
	}
	(void)fclose(file);
	str_free(&key);
	str_free(&want);
	str_free(&data);
}

static const struct {
	const char *what, *local, *want;
} look_ups[] = {
    {"an exact rule, whatever the case; the first of two", "JOE",
	"joe~501~100~/home/joe~~"},
    {"an exact rule beats a start", "joe-list", "joe~501~100~/home/joe~-~list"},
    {"a start; the rest in its own case", "Joe-X.Y",
	"joe~501~100~/home/joe~-~X.Y"},
    {"a longer start beats a shorter one", "joe-l-Foo",
	"joe~501~100~/home/joe~-~pre-Foo"},
    {"a start with nothing behind it", "joe-l-",
	"joe~501~100~/home/joe~-~pre-"},
    {"a start without a dash", "joan", "jj~502~100~/home/jo~-~an"},
    {"the same, all of it", "jo", "jj~502~100~/home/jo~-~"},
    {"the rest", "other", "alias~7790~2108~/alias~-~other"},
    {"a start that ends in a capital", "up-xyz", "up~504~100~/up~-~yz"},
    {"no local part", "", "alias~7790~2108~/alias~-~"},
};

static void
answers_look_ups(void **state)
{
	const char *path = temporary_name();
	struct str want = STR_INIT, data = STR_INIT;

	(void)state;
	assert_int_equal(compile(span_of(assign), path), USERS_OK);
	for (size_t i = 0; i < COUNT(look_ups); i++) {
		int found = users_find(path, span_of(look_ups[i].local), &data);

		if (found != 1 ||
		    !span_equal(
			str_span(&data), with_nuls(look_ups[i].want, &want)))
			fail_msg("%s", look_ups[i].what);
	}
	str_free(&want);
	str_free(&data);
}

static void
tells_missing_from_damaged(void **state)
{
	const char *path = temporary_name();
	struct str data = STR_INIT;
	FILE *file;

	(void)state;
	assert_int_equal(compile(SPAN_LITERAL(".\n"), path), USERS_OK);
	assert_int_equal(users_find(path, SPAN_LITERAL("joe"), &data), 0);
	assert_int_equal(
	    users_find("/nonexistent/cdb", SPAN_LITERAL("joe"), &data), 0);
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fclose(file);
	assert_int_equal(users_find(path, SPAN_LITERAL("joe"), &data), -1);
	assert_int_equal(errno, EINVAL);
	/* a cdb, but not one for users: the last record is missing */
	file = fopen(path, "w");
	assert_non_null(file);
	for (size_t i = 0; i < 2048; i++)
		(void)fputc(0, file);
	(void)fclose(file);
	assert_int_equal(users_find(path, SPAN_LITERAL("joe"), &data), -1);
	assert_int_equal(errno, EINVAL);
	str_free(&data);
}

static const struct {
	const char *what, *text;
	int want;
} files[] = {
    {"only the end", ".\n", USERS_OK},
    {"the end without a newline", "=a:b:1:1:/:::\n.", USERS_OK},
    {"more than a dot", ".end of it", USERS_OK},
    {"nothing", "", USERS_NO_END},
    {"no end", "=a:b:1:1:/:::\n", USERS_NO_END},
    {"cut off in a line", "=a:b:1:1:/:::\n=b:b:1:1", USERS_NO_END},
    {"an empty line", "\n.\n", USERS_BAD_LINE},
    {"no first field", ":b:1:1:/:::\n.\n", USERS_BAD_LINE},
    {"a field too few", "=a:b:1:1:/::\n.\n", USERS_BAD_LINE},
    {"no colon", "hello\n.\n", USERS_BAD_LINE},
    {"a comment", "# hello\n.\n", USERS_BAD_LINE},
    {"a NUL", "=a:b:1:1:/:~::\n.\n", USERS_NUL},
    {"a NUL behind the end", ".\n~", USERS_OK},
};

static void
judges_files(void **state)
{
	struct str text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		int got =
		    compile(with_nuls(files[i].text, &text), temporary_name());

		if (got != files[i].want)
			fail_msg("%s: %d", files[i].what, got);
	}
	str_free(&text);
}

static const struct {
	const char *what, *data;
	int want;
} entries[] = {
    {"six fields", "joe~501~100~/home/joe~-~ext", 0},
    {"six fields, each ended", "joe~501~100~/home/joe~-~ext~", 0},
    {"empty dash and ext", "joe~501~100~/home/joe~~", 0},
    {"root, which others refuse", "root~0~0~/root~~", 0},
    {"nothing", "", -1},
    {"five fields", "joe~501~100~/home/joe~-", -1},
    {"a field too many", "joe~501~100~/home/joe~-~ext~more", -1},
    {"two NULs at the end", "joe~501~100~/home/joe~-~ext~~", -1},
    {"no uid", "joe~~100~/home/joe~-~ext", -1},
    {"a uid with a sign", "joe~-1~100~/home/joe~-~ext", -1},
    {"a uid that is none", "joe~4294967295~100~/home/joe~-~ext", -1},
    {"a uid that wraps to root", "joe~4294967296~100~/home/joe~-~ext", -1},
    {"a gid with letters", "joe~501~100x~/home/joe~-~ext", -1},
};

static void
parses_entries(void **state)
{
	struct str data = STR_INIT;
	struct users_entry entry;

	(void)state;
	for (size_t i = 0; i < COUNT(entries); i++) {
		if (users_parse_entry(with_nuls(entries[i].data, &data),
			&entry) != entries[i].want)
			fail_msg("%s", entries[i].what);
	}
	assert_int_equal(
	    users_parse_entry(with_nuls(entries[1].data, &data), &entry), 0);
	assert_true(span_is(entry.user, "joe"));
	assert_int_equal(entry.uid, 501);
	assert_int_equal(entry.gid, 100);
	assert_true(span_is(entry.homedir, "/home/joe"));
	assert_true(span_is(entry.dash, "-"));
	assert_true(span_is(entry.ext, "ext"));
	str_free(&data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_records),
	    cmocka_unit_test(answers_look_ups),
	    cmocka_unit_test(tells_missing_from_damaged),
	    cmocka_unit_test(judges_files),
	    cmocka_unit_test(parses_entries),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	(void)unlink(temporary_name());
	return failed;
}
