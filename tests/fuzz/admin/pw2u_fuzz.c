/*
 * qmail-pw2u: lines of /etc/passwd, then users/include, exclude, mailnames and
 * subusers, each up to a 0xff byte; the first byte holds options. If it is
 * content, what it writes compiles, gives what nobody else takes to alias, and
 * gives nothing to root.
 *
 * The program is taken in whole; it ends by jumping back here.
 */
#include "../program.h"
#include "assign.h"

#include "base/die.h"

static void leave_program(int code) __attribute__((noreturn));
static void leave_for_now(const char *format, ...) __attribute__((noreturn));
#define main pw2u_main
#define die_sys leave_for_now
#define die_temp leave_for_now
#define die_usage(text) ((void)(text), leave_program(EXIT_PERM))
#include "../../../src/admin/qmail-pw2u.c"
#undef main
#undef die_sys
#undef die_temp
#undef die_usage

static int passwd_file = -1, output_file;

static void
leave_program(int code)
{
	longjmp(end_of_program, code);
}

static void
leave_for_now(const char *format, ...)
{
	(void)format;
	leave_program(EXIT_TEMP);
}

static void
prepare(void)
{
	static char home[4096];

	if (passwd_file != -1)
		return;
	fuzz_enter_directory();
	require(getcwd(home, sizeof(home)) != NULL);
	require(setenv("QMAILHOME", home, 1) == 0);
	fuzz_make_directory("users");
	passwd_file = open("passwd", O_RDWR | O_CREAT, 0600);
	output_file = open("output", O_RDWR | O_CREAT, 0600);
	require(passwd_file != -1 && output_file != -1);
}

static void
forget_run(void)
{
	control_table_free(&program.include);
	control_table_free(&program.exclude);
	control_table_free(&program.mailnames);
	control_table_free(&program.subusers);
	str_clear(&program.passwd);
	str_clear(&program.output);
	program.count = 0;
	program.has_alias = program.has_include = false;
	program.allows_upper = false;
	program.check = HOME_SKIP;
	program.style = (struct assign_style){'-', "-"};
	optind = 0; /* forgets where it was, too */
}

/* The exit code. */
static int
run_program(unsigned char flags)
{
	char name[] = "qmail-pw2u", trust[] = "-H", slash[] = "-/";
	char upper[] = "-u", plain[] = "-C";
	char *argv[6] = {name, trust};
	int argc = 2, code;

	if (flags & 1)
		argv[argc++] = slash;
	if (flags & 2)
		argv[argc++] = upper;
	if (flags & 4)
		argv[argc++] = plain;
	require(dup2(passwd_file, 0) == 0 && dup2(output_file, 1) == 1);
	code = setjmp(end_of_program);
	return code != 0 ? code : pw2u_main(argc, argv);
}

static void
compile(struct span assign)
{
	struct users_entry entry;
	struct str found = STR_INIT;

	assign_find(assign, SPAN_LITERAL("\1nobody"), &found);
	if (users_parse_entry(str_span(&found), &entry) == 0) {
		require(span_is(entry.user, CONFIG_USER_ALIAS));
		require(entry.uid != 0);
	}
	str_free(&found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"users/include", "users/exclude",
	    "users/mailnames", "users/subusers"};
	struct span input = {(const char *)data, size}, passwd, one;
	struct str output = STR_INIT;
	unsigned char flags = fuzz_byte(&input);
	bool has_nul = false;
	int code;

	fuzz_hush();
	prepare();
	passwd = fuzz_until(&input, '\377');
	require(
	    ftruncate(passwd_file, 0) == 0 && ftruncate(output_file, 0) == 0);
	require(lseek(passwd_file, 0, SEEK_SET) == 0 &&
	    lseek(output_file, 0, SEEK_SET) == 0);
	require(pwrite(passwd_file, passwd.s, passwd.len, 0) ==
	    (ssize_t)passwd.len);
	for (size_t i = 0; i < COUNT(paths); i++) {
		one = fuzz_until(&input, '\377');
		has_nul = has_nul || span_find(one, '\0') != SPAN_NONE;
		if (flags >> (3 + i) & 1)
			fuzz_write_file(paths[i], one);
		else
			(void)unlink(paths[i]);
	}
	forget_run();
	code = run_program(flags);
	require(code == EXIT_OK || code == EXIT_TEMP);
	require(lseek(output_file, 0, SEEK_SET) == 0);
	require(file_read_fd(output_file, 1 << 24, &output) == 0);
	if (code != EXIT_OK)
		require(output.len == 0);
	else if (!has_nul)
		compile(str_span(&output));
	str_free(&output);
	fuzz_speak();
	return 0;
}
