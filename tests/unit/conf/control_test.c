/* control: the exact rules by which files of control/ are read */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "conf/control.h"

static void
write_file(const char *path, struct span content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fd_write_all(fd, content.s, content.len), 0);
	fd_close(fd);
}

static void
test_single_values(void **state)
{
	static const struct {
		const char *what;
		struct span content;
		const char *want;
	} rows[] = {
	    {"a line", {"value\n", 6}, "value"},
	    {"no line end", {"value", 5}, "value"},
	    {"white space behind", {"value \t \n", 9}, "value"},
	    {"white space before stays", {" \tvalue\n", 8}, " \tvalue"},
	    {"only the first line", {"one\ntwo\n", 8}, "one"},
	    {"an empty first line", {"\ntwo\n", 5}, ""},
	    {"an empty file is the empty value", {"", 0}, ""},
	    {"only white space", {"  \t\n", 4}, ""},
	    {"CR stays", {"value\r\n", 7}, "value\r"},
	    {"a comment is none", {"# x\n", 4}, "# x"},
	};
	struct str value = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		write_file("f", rows[i].content);
		str_copy(&value, SPAN_LITERAL("old"));
		if (control_line("f", &value) != 1 ||
		    strcmp(value.s, rows[i].want) != 0)
			fail_msg("%s: [%s]", rows[i].what, value.s);
	}
	str_copy(&value, SPAN_LITERAL("old"));
	assert_int_equal(control_line("missing", &value), 0);
	assert_string_equal(value.s, "old");
	assert_int_equal(control_line("dir", &value), -1);
	assert_int_equal(errno, EISDIR);
	assert_string_equal(value.s, "old");
	str_free(&value);
}

static void
test_defaults(void **state)
{
	struct str value = STR_INIT;

	(void)state;
	(void)unlink("control/me"); /* may not be there */
	assert_int_equal(control_line_default_me("missing", NULL, &value), 0);
	assert_int_equal(control_line_default_me("missing", "lit", &value), 1);
	assert_string_equal(value.s, "lit");
	write_file("control/me", SPAN_LITERAL("me.example\n"));
	assert_int_equal(control_line_default_me("missing", "lit", &value), 1);
	assert_string_equal(value.s, "me.example");
	write_file("f", SPAN_LITERAL(""));
	assert_int_equal(control_line_default_me("f", "lit", &value), 1);
	assert_string_equal(value.s, "");
	assert_int_equal(control_line_default_me("dir", "lit", &value), -1);
	assert_int_equal(unlink("control/me"), 0);
	assert_int_equal(mkdir("control/me", 0755), 0);
	assert_int_equal(control_line_default_me("missing", "lit", &value), -1);
	/* even if it is not wanted */
	assert_int_equal(control_line_default_me("f", "lit", &value), -1);
	assert_int_equal(rmdir("control/me"), 0);
	str_free(&value);
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *content;
		int found;
		unsigned long want;
	} rows[] = {
	    {"10\n", 1, 10},
	    {"0\n", 1, 0},
	    {"007\n", 1, 7},
	    {"10 # seconds\n", 1, 10},
	    {"10x", 1, 10},
	    {"", 0, 5},
	    {"x10\n", 0, 5},
	    {" 10\n", 0, 5},
	    {"-1\n", 0, 5},
	    {"\n10\n", 0, 5},
	    {"999999999999999999999999\n", 1, ULONG_MAX},
	};
	unsigned long value;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		write_file("f", span_of(rows[i].content));
		value = 5;
		if (control_number("f", &value) != rows[i].found ||
		    value != rows[i].want)
			fail_msg("[%s]: %lu", rows[i].content, value);
	}
	value = 5;
	assert_int_equal(control_number("missing", &value), 0);
	assert_int_equal(control_number("dir", &value), -1);
	assert_int_equal(value, 5);
}

static void
test_lists(void **state)
{
	struct control_table table = CONTROL_TABLE_INIT;
	static const char *const want[] = {
	    "One.Example", " two", "three # x", "four\r", "One.Example", "end"};

	(void)state;
	write_file("f",
	    SPAN_LITERAL("One.Example \t\n#comment\n\n two\n  \nthree # x\n"
			 "four\r\nOne.Example\nend"));
	assert_int_equal(control_list("f", &table), 1);
	assert_int_equal(table.entry_count, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_true(span_is(table.lines[i], want[i]));
		assert_true(control_has(&table, span_of(want[i])));
	}
	assert_true(control_has(&table, SPAN_LITERAL("oNE.eXAMPLE")));
	assert_false(control_has(&table, SPAN_LITERAL("two")));
	assert_false(control_has(&table, SPAN_LITERAL("#comment")));
	assert_false(control_has(&table, SPAN_LITERAL("")));
	assert_false(control_has(&table, SPAN_LITERAL("four")));
	/* present but empty is a list, missing is none */
	write_file("f", SPAN_LITERAL("\n# x\n"));
	assert_int_equal(control_list("f", &table), 1);
	assert_int_equal(table.entry_count, 0);
	assert_false(control_has(&table, SPAN_LITERAL("x")));
	assert_int_equal(control_list("missing", &table), 0);
	assert_false(control_has(&table, SPAN_LITERAL("x")));
	assert_int_equal(control_list("dir", &table), -1);
	control_table_free(&table);
	control_table_free(&table);
}

static void
test_bytes_over_127_compare_exactly(void **state)
{
	struct control_table table = CONTROL_TABLE_INIT;

	(void)state;
	assert_int_equal(control_list_of(SPAN_LITERAL("\304a\n"), &table), 0);
	assert_true(control_has(&table, SPAN_LITERAL("\304A")));
	assert_false(control_has(&table, SPAN_LITERAL("\344a")));
	control_table_free(&table);
}

static void
test_maps(void **state)
{
	static const struct {
		const char *key, *want; /* NULL: not there */
	} rows[] = {
	    {"a.example", "second"},
	    {"A.Example", "second"},
	    {"b", ":x:y"},
	    {"c", ""},
	    {"", "all"},
	    {"no colon", NULL},
	    {"#d", NULL},
	    {" e", "f"},
	    {"e", NULL},
	};
	struct control_table table = CONTROL_TABLE_INIT;
	struct span value;

	(void)state;
	write_file("f",
	    SPAN_LITERAL("a.example:first\nb::x:y\nc: \nno colon\n:all\n"
			 "#d:x\n e:f\nA.EXAMPLE:second\t\n"));
	assert_int_equal(control_map("f", &table), 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool found = control_find(&table, span_of(rows[i].key), &value);

		if (found != (rows[i].want != NULL) ||
		    (found && !span_is(value, rows[i].want)))
			fail_msg("%s", rows[i].key);
	}
	control_table_free(&table);
}

static void
test_domains(void **state)
{
	static const struct {
		const char *domain;
		bool empty_too;
		const char *want;
	} rows[] = {
	    {"h.a.example", false, "host"},
	    {"H.A.Example", false, "host"},
	    {"x.a.example", false, "suffix"},
	    {"y.x.a.example", false, "suffix"},
	    {"a.example", false, "top"},
	    {"b.example", false, "top"},
	    {"example", false, NULL},
	    {"example", true, "empty"},
	    {"other", true, "empty"},
	    {"", true, "empty"},
	    {"", false, NULL},
	    {"xa.example", false, "top"},
	};
	struct control_table table = CONTROL_TABLE_INIT;
	struct span value;

	(void)state;
	write_file("f",
	    SPAN_LITERAL("h.a.example:host\n.a.example:suffix\n"
			 ".example:top\n:empty\n"));
	assert_int_equal(control_map("f", &table), 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool found = control_find_domain(
		    &table, span_of(rows[i].domain), rows[i].empty_too, &value);

		if (found != (rows[i].want != NULL) ||
		    (found && !span_is(value, rows[i].want)))
			fail_msg("%s", rows[i].domain);
	}
	control_table_free(&table);
}

static void
test_many_entries(void **state)
{
	struct control_table table = CONTROL_TABLE_INIT;
	struct str text = STR_INIT, key = STR_INIT;

	(void)state;
	for (unsigned i = 0; i < 20000; i++)
		str_append_format(&text, "host%u.example\n", i);
	assert_int_equal(control_list_of(str_span(&text), &table), 0);
	assert_int_equal(table.entry_count, 20000);
	for (unsigned i = 0; i < 20000; i++) {
		str_format(&key, "HOST%u.example", i);
		assert_true(control_has(&table, str_span(&key)));
		str_format(&key, "host%u.examples", i);
		assert_false(control_has(&table, str_span(&key)));
	}
	control_table_free(&table);
	str_free(&text);
	str_free(&key);
}

static void
test_home(void **state)
{
	(void)state;
	assert_int_equal(setenv("QMAILHOME", "/tmp", 1), 0);
	assert_string_equal(control_home_path(), "/tmp");
	assert_int_equal(setenv("QMAILHOME", "", 1), 0);
	assert_int_equal(control_home_path()[0], '/');
	assert_int_equal(unsetenv("QMAILHOME"), 0);
	assert_int_equal(control_home_path()[0], '/');
	assert_int_equal(setenv("QMAILHOME", "/nonexistent", 1), 0);
	assert_int_equal(control_home(), -1);
	assert_int_equal(errno, ENOENT);
	/* a program that is started from there would look elsewhere */
	assert_int_equal(setenv("QMAILHOME", "tmp", 1), 0);
	assert_int_equal(control_home(), -1);
	assert_int_equal(errno, EINVAL);
}

/* What one look at control/ said stands until the next. */
static void
test_a_glance(void **state)
{
	struct str value = STR_INIT;
	char long_name[250];

	(void)state;
	write_file("control/there", SPAN_LITERAL("1\n"));
	control_glance();
	assert_true(control_has_no_links());
	assert_false(control_is_missing("control/there"));
	assert_true(control_is_missing("control/ther"));
	assert_true(control_is_missing("control/here"));
	assert_true(control_is_missing("control/late"));
	assert_false(control_is_missing("control/late/late"));
	assert_false(control_is_missing("late"));
	write_file("control/late", SPAN_LITERAL("2\n"));
	assert_int_equal(control_line("control/late", &value), 0);
	assert_int_equal(control_line("control/there", &value), 1);
	assert_string_equal(value.s, "1");
	control_glance();
	assert_int_equal(control_line("control/late", &value), 1);
	/* a listing that may be one of several moments is not believed */
	memset(long_name, 'n', sizeof(long_name));
	memcpy(long_name, "control/", 8);
	long_name[sizeof(long_name) - 1] = '\0';
	for (char last = 'a'; last < 'u'; last++) {
		long_name[sizeof(long_name) - 2] = last;
		write_file(long_name, SPAN_LITERAL(""));
	}
	control_glance();
	assert_false(control_is_missing("control/missing"));
	assert_false(control_has_no_links());
	for (char last = 'a'; last < 'u'; last++) {
		long_name[sizeof(long_name) - 2] = last;
		assert_int_equal(unlink(long_name), 0);
	}
	control_glance();
	assert_true(control_is_missing("control/missing"));
	assert_true(control_has_no_links());
	assert_int_equal(symlink("nowhere", "control/link"), 0);
	control_glance();
	assert_false(control_has_no_links());
	assert_false(control_is_missing("control/link"));
	assert_int_equal(unlink("control/link"), 0);
	assert_int_equal(unlink("control/there"), 0);
	assert_int_equal(unlink("control/late"), 0);
	assert_int_equal(rename("control", "elsewhere"), 0);
	control_glance();
	assert_false(control_is_missing("control/missing"));
	assert_false(control_has_no_links());
	assert_int_equal(rename("elsewhere", "control"), 0);
	str_free(&value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_single_values),
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_bytes_over_127_compare_exactly),
	    cmocka_unit_test(test_maps),
	    cmocka_unit_test(test_domains),
	    cmocka_unit_test(test_many_entries),
	    cmocka_unit_test(test_a_glance),
	    cmocka_unit_test(test_home),
	};
	char home[] = "/tmp/control_test.XXXXXX";
	int failed;

	if (mkdtemp(home) == NULL || chdir(home) == -1 ||
	    mkdir("control", 0755) == -1 || mkdir("dir", 0755) == -1)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)remove("f"); /* what is left shows in the next line */
	if (rmdir("control") == -1 || rmdir("dir") == -1 || chdir("/") == -1 ||
	    rmdir(home) == -1)
		return 1;
	return failed;
}
