/* which .qmail file an extension leads to, and what its lines mean */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "local/dotqmail.h"

static const char *const present[] = {".qmail-list", ".qmail-list-default",
    ".qmail-default", ".qmail-a-b", ".qmail-a-default", ".qmail-a:b",
    ".qmail-foo-default", ".qmail-foo-owner"};

struct search_row {
	const char *what, *dash, *ext;
	const char *file;         /* NULL: none */
	const char *default_part; /* NULL: not set */
};

static const struct search_row searches[] = {
    {"the exact file", "-", "list", ".qmail-list", NULL},
    {"one dash back", "-", "list-sub", ".qmail-list-default", "sub"},
    {"case and dots stay in DEFAULT", "-", "list-Sub.X-", ".qmail-list-default",
	"Sub.X-"},
    {"a dash in an exact name", "-", "a-b", ".qmail-a-b", NULL},
    {"upper case finds the lower case file", "-", "A-B", ".qmail-a-b", NULL},
    {"a dot becomes a colon", "-", "A.B", ".qmail-a:b", NULL},
    {"the longest prefix first", "-", "a-b-c", ".qmail-a-default", "b-c"},
    {"a dash at the end", "-", "a-b-", ".qmail-a-default", "b-"},
    {"the default of all", "-", "foo", ".qmail-default", "foo"},
    {"nothing behind the dash", "-", "foo-", ".qmail-foo-default", ""},
    {"an owner", "-", "foo-owner", ".qmail-foo-owner", NULL},
    {"no dash that fits", "-", "x-y-z-w-v", ".qmail-default", "x-y-z-w-v"},
    {"the exact file is a default file", "-", "default", ".qmail-default",
	"default"},
    {"the same in upper case", "-", "Default", ".qmail-default", "Default"},
    {"a default file below", "-", "list-default", ".qmail-list-default",
	"default"},
    {"an empty extension", "-", "", ".qmail-default", ""},
    {"no dash and no .qmail", "", "", NULL, NULL},
    {"no dash, with an extension", "", "foo", NULL, NULL},
    {"another dash finds nothing", "+", "list", NULL, NULL},
};

static bool
is_present(const char *name)
{
	for (size_t i = 0; i < COUNT(present); i++) {
		if (strcmp(name, present[i]) == 0)
			return true;
	}
	return false;
}

static void
finds_files(void **state)
{
	struct str safe = STR_INIT, name = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(searches); i++) {
		const struct search_row *row = &searches[i];
		struct dotqmail_search search = {.dash = span_of(row->dash)};
		size_t at = 0;
		bool found = false;

		str_clear(&safe);
		dotqmail_append_safe_ext(&safe, span_of(row->ext));
		search.safe_ext = str_span(&safe);
		while (!found && dotqmail_search_next(&search, &name, &at))
			found = is_present(name.s);
		print_message("%s\n", row->what);
		assert_int_equal(found, row->file != NULL);
		if (!found)
			continue;
		assert_string_equal(name.s, row->file);
		assert_int_equal(at != SPAN_NONE, row->default_part != NULL);
		if (row->default_part != NULL)
			assert_string_equal(row->ext + at, row->default_part);
	}
	str_free(&safe);
	str_free(&name);
}

static void
tries_names_in_order(void **state)
{
	static const char *const want[] = {".qmail-a-b-c", ".qmail-a-b-default",
	    ".qmail-a-default", ".qmail-default"};
	struct dotqmail_search search = {
	    .dash = SPAN_LITERAL("-"), .safe_ext = SPAN_LITERAL("a-b-c")};
	struct str name = STR_INIT;
	size_t at;

	(void)state;
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_int_equal(dotqmail_search_next(&search, &name, &at), 1);
		assert_string_equal(name.s, want[i]);
	}
	assert_int_equal(dotqmail_search_next(&search, &name, &at), 0);
	assert_int_equal(dotqmail_search_next(&search, &name, &at), 0);
	str_free(&name);
}

static void
never_leaves_the_home(void **state)
{
	struct str safe = STR_INIT;

	(void)state;
	dotqmail_append_safe_ext(&safe, span_of("../../etc/x"));
	assert_string_equal(safe.s, "::/::/etc/x");
	str_free(&safe);
}

struct line_row {
	const char *what;
	struct span input;
	const char *want; /* kind and text of each line */
};

#define BYTES(text)                                                            \
	{                                                                      \
		(text), sizeof(text) - 1                                       \
	}

static const struct line_row line_rows[] = {
    {"every kind of line, blanks at the end trimmed",
	BYTES("# c\n\n./Mailbox  \n./Maildir/\t\n|cmd with args  \n&joe@x.y\n"
	      "& sp@x\n+foo"),
	"mbox=./Mailbox maildir=./Maildir/ program=cmd with args "
	"forward=joe@x.y forward= sp@x ."},
    {"a blank first line", BYTES("\n./Maildir/\n"), "blank"},
    {"a first line of spaces", BYTES(" \t\n./Maildir/\n"), "blank"},
    {"no byte at all", BYTES(""), "blank"},
    {"only comments", BYTES("#a\n# b"), "."},
    {"blank lines further on", BYTES("a\n \n\nb\n"), "forward=a forward=b ."},
    {"a path from the root", BYTES("/var/mail/joe\n/m/\n"),
	"mbox=/var/mail/joe maildir=/m/ ."},
    {"a space first is an address", BYTES(" joe@x\n"), "forward= joe@x ."},
    {"a colon or a tilde first is one too", BYTES(":a\n~b\n"),
	"forward=:a forward=~b ."},
    {"+list, and what only looks like it", BYTES("+list\n+lists\n+list x\n"),
	"list ."},
    {"an ampersand alone is the empty address", BYTES("&\n"), "forward= ."},
    {"a bar alone is the empty command", BYTES("|\n"), "program= ."},
    {"CR is no blank", BYTES("./Maildir/\r\n"), "mbox=./Maildir/\r ."},
    {"a NUL in a line", BYTES("|x\0y\n./m\n"), "nul"},
    {"a file of NULs", BYTES("\0\0\0\0"), "nul"},
    {"a NUL in a comment", BYTES("#\0\na\n"), "forward=a ."},
};

static void
list_lines(struct span input, struct str *seen)
{
	static const char *const names[] = {[DOTQMAIL_END] = ".",
	    [DOTQMAIL_BLANK_FIRST] = "blank",
	    [DOTQMAIL_NUL] = "nul",
	    [DOTQMAIL_MAILDIR] = "maildir=",
	    [DOTQMAIL_MBOX] = "mbox=",
	    [DOTQMAIL_PROGRAM] = "program=",
	    [DOTQMAIL_FORWARD] = "forward=",
	    [DOTQMAIL_LIST] = "list"};
	struct dotqmail_lines lines = {input, false};

	str_clear(seen);
	for (;;) {
		struct span text = {NULL, 0};
		enum dotqmail_kind kind = dotqmail_next_line(&lines, &text);

		if (seen->len > 0)
			str_append_char(seen, ' ');
		str_append_cstr(seen, names[kind]);
		if (kind == DOTQMAIL_END || kind == DOTQMAIL_BLANK_FIRST ||
		    kind == DOTQMAIL_NUL)
			return;
		if (kind != DOTQMAIL_LIST)
			str_append_span(seen, text);
	}
}

static void
reads_lines(void **state)
{
	struct str seen = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(line_rows); i++) {
		print_message("%s\n", line_rows[i].what);
		list_lines(line_rows[i].input, &seen);
		assert_string_equal(seen.s, line_rows[i].want);
	}
	str_free(&seen);
}

static void
make_file(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static int
find(const char *ext, struct dotqmail_file *file)
{
	dotqmail_file_free(file);
	*file = (struct dotqmail_file)DOTQMAIL_FILE_INIT;
	return dotqmail_find(SPAN_LITERAL("-"), span_of(ext), file);
}

static void
looks_at_types_and_modes(void **state)
{
	char dir[] = "/tmp/dotqmail-test-XXXXXX";
	struct dotqmail_file file = DOTQMAIL_FILE_INIT;
	static const char *const names[] = {
	    ".qmail-default", ".qmail-x", ".qmail-w", ".qmail-e"};

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(find("a", &file), DOTQMAIL_NONE);
	assert_true(file.default_at == SPAN_NONE);
	make_file(".qmail-default", "./d\n", 0600);
	make_file(".qmail-x", "x@y\n", 0700);
	make_file(".qmail-w", "./w\n", 0602);
	make_file(".qmail-e", "", 0600);
	assert_int_equal(mkdir(".qmail-dir", 0700), 0);
	assert_int_equal(mkfifo(".qmail-fifo", 0600), 0);

	assert_int_equal(find("x", &file), DOTQMAIL_FOUND);
	assert_true(file.forward_only);
	assert_string_equal(file.text.s, "x@y\n");
	assert_int_equal(find("w", &file), DOTQMAIL_WRITABLE);
	assert_int_equal(find("e", &file), DOTQMAIL_FOUND);
	assert_int_equal(file.text.len, 0);
	/* a directory and a FIFO are passed over, without waiting */
	assert_int_equal(find("dir", &file), DOTQMAIL_FOUND);
	assert_string_equal(file.name.s, ".qmail-default");
	assert_int_equal(find("fifo", &file), DOTQMAIL_FOUND);
	assert_string_equal(file.name.s, ".qmail-default");
	assert_false(file.forward_only);
	/* below something that is no directory there is nothing */
	assert_int_equal(find("x/y", &file), DOTQMAIL_FOUND);
	assert_string_equal(file.name.s, ".qmail-default");

	dotqmail_file_free(&file);
	for (size_t i = 0; i < COUNT(names); i++)
		assert_int_equal(unlink(names[i]), 0);
	assert_int_equal(unlink(".qmail-fifo"), 0);
	assert_int_equal(rmdir(".qmail-dir"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_files),
	    cmocka_unit_test(tries_names_in_order),
	    cmocka_unit_test(never_leaves_the_home),
	    cmocka_unit_test(reads_lines),
	    cmocka_unit_test(looks_at_types_and_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
