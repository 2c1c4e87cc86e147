/* die, clock, dir and sig: what they say, and what they leave behind */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/sig.h"

/* Runs speak in a child; its exit code, and what it wrote on descriptor 2. */
static int
listen_to(void (*speak)(void), struct str *said)
{
	int ends[2], status;
	pid_t child;

	str_clear(said);
	assert_int_equal(fd_pipe(ends), 0);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		if (fd_move(ends[1], 2) == -1)
			_exit(99);
		die_init("prog");
		speak();
		_exit(0);
	}
	fd_close(ends[1]);
	assert_int_equal(file_read_fd(ends[0], 100000, said), 0);
	fd_close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
say_usage(void)
{
	die_usage("prog [-x]");
}

static void
say_perm(void)
{
	die_perm("no %s", "way");
}

static void
say_temp(void)
{
	die_temp("later");
}

static void
say_sys(void)
{
	errno = ENOENT;
	die_sys("cannot open %s", quote("a\nb\033"));
}

static void
say_warnings(void)
{
	warn_plain("one");
	errno = EACCES;
	warn_sys("two");
}

static void
say_much(void)
{
	static char much[5000];

	memset(much, 'x', sizeof(much) - 1);
	errno = ENOENT;
	die_sys("%s", much);
}

static void
say_to_nobody(void)
{
	(void)close(2);
	die_perm("unheard");
}

static void
test_dying(void **state)
{
	static const struct {
		void (*speak)(void);
		int code;
		const char *said;
	} rows[] = {
	    {say_usage, 100, "prog: usage: prog [-x]\n"},
	    {say_perm, 100, "prog: no way\n"},
	    {say_temp, 111, "prog: later\n"},
	    {say_sys, 111, "prog: cannot open a?b?: "},
	    {say_warnings, 0, "prog: one\nprog: two: "},
	    {say_to_nobody, 100, ""},
	};
	struct str said = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(listen_to(rows[i].speak, &said), rows[i].code);
		assert_int_equal(
		    strncmp(said.s, rows[i].said, strlen(rows[i].said)), 0);
	}
	assert_int_equal(listen_to(say_much, &said), 111);
	assert_int_equal(said.len, 1024);
	assert_int_equal(span_find(str_span(&said), '\n'), 1023);
	str_free(&said);
}

static void
test_quoting(void **state)
{
	char much[300];
	const char *kept[4];

	(void)state;
	assert_string_equal(quote("a b~"), "a b~");
	assert_string_equal(
	    quote_span(SPAN_LITERAL("\0\t\177\200\377")), "?????");
	memset(much, 'x', sizeof(much));
	assert_int_equal(
	    strlen(quote_span((struct span){much, sizeof(much)})), 203);
	assert_int_equal(strlen(quote_span((struct span){much, 200})), 200);
	for (size_t i = 0; i < 4; i++)
		kept[i] = quote_span((struct span){much, i});
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(strlen(kept[i]), i);
}

static void
test_dates(void **state)
{
	static const struct {
		int64_t when_s;
		const char *date, *mbox;
	} rows[] = {
	    {0, "1 Jan 1970 00:00:00 -0000", "Thu Jan 01 00:00:00 1970"},
	    {951782399, "28 Feb 2000 23:59:59 -0000",
		"Mon Feb 28 23:59:59 2000"},
	    {951782400, "29 Feb 2000 00:00:00 -0000",
		"Tue Feb 29 00:00:00 2000"},
	    {1795373181, "22 Nov 2026 18:46:21 -0000",
		"Sun Nov 22 18:46:21 2026"},
	    {2147483648, "19 Jan 2038 03:14:08 -0000",
		"Tue Jan 19 03:14:08 2038"},
	    {4107542400, "1 Mar 2100 00:00:00 -0000",
		"Mon Mar 01 00:00:00 2100"},
	};
	struct str out = STR_INIT;
	int64_t mono = clock_mono_ms();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		str_clear(&out);
		clock_append_date(&out, rows[i].when_s);
		assert_string_equal(out.s, rows[i].date);
		str_clear(&out);
		clock_append_mbox(&out, rows[i].when_s);
		assert_string_equal(out.s, rows[i].mbox);
	}
	str_clear(&out);
	clock_append_date(&out, INT64_MAX); /* no garbage, no crash */
	assert_true(clock_mono_ms() >= mono);
	assert_true(clock_now() > 1700000000);
	str_free(&out);
}

static void
test_files(void **state)
{
	char path[] = "/tmp/die_test.XXXXXX";
	struct str text = STR_INIT;
	int fd = mkstemp(path);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(fd_write_all(fd, "0123456789", 10), 0);
	str_append_cstr(&text, "before ");
	assert_int_equal(file_read(path, 10, &text), 0);
	assert_string_equal(text.s, "before 0123456789");
	str_clear(&text);
	assert_int_equal(file_read(path, 9, &text), -1);
	assert_int_equal(errno, EFBIG);
	str_clear(&text);
	assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
	assert_int_equal(file_read_fd(fd, 100, &text), 0);
	assert_string_equal(text.s, "456789");
	assert_int_equal(file_read("/tmp", 100, &text), -1);
	assert_int_equal(dir_sync_parent(path), 0);
	assert_int_equal(dir_sync(path), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(file_read(path, 100, &text), -1);
	assert_int_equal(errno, ENOENT);
	fd_close(fd);
	str_free(&text);
}

static void
test_directories(void **state)
{
	(void)state;
	assert_int_equal(dir_sync("/tmp"), 0);
	assert_int_equal(dir_sync("/nonexistent"), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(dir_sync_parent("/tmp"), 0);
	assert_int_equal(dir_sync_parent("/tmp///"), 0);
	assert_int_equal(dir_sync_parent("/"), 0);
	assert_int_equal(dir_sync_parent("/nonexistent/x"), -1);
	assert_int_equal(chdir("/tmp"), 0);
	assert_int_equal(dir_sync_parent("name"), 0);
}

static void
test_signals(void **state)
{
	int fd = sig_open();

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(sig_next(), 0);
	assert_int_equal(sig_watch(SIGUSR1), 0);
	assert_int_equal(sig_watch(SIGHUP), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(raise(SIGHUP), 0);
	assert_int_equal(fd_wait_readable(fd, 1000), 1);
	assert_int_equal(sig_next(), SIGUSR1);
	assert_int_equal(sig_next(), SIGHUP);
	assert_int_equal(sig_next(), 0);
	assert_int_equal(sig_ignore(SIGUSR1), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(sig_next(), 0);
	/* a full pipe never blocks the handler */
	for (int i = 0; i < 70000; i++)
		assert_int_equal(raise(SIGHUP), 0);
	assert_int_equal(sig_next(), SIGHUP);
	assert_int_equal(sig_default(SIGHUP), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dying),
	    cmocka_unit_test(test_quoting),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_directories),
	    cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
