/* in and out: lines, limits, deadlines, failures that stick */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/in.h"
#include "base/out.h"

/* An in on a pipe that holds text and ends; size is that of the buffer. */
static void
open_on(struct in *in, const char *text, char *buf, size_t size)
{
	int ends[2];

	assert_int_equal(fd_pipe(ends), 0);
	assert_int_equal(fd_write_all(ends[1], text, strlen(text)), 0);
	fd_close(ends[1]);
	in_init(in, ends[0], 5, buf, size);
}

static void
test_lines(void **state)
{
	static const char *const want[] = {"one\n", "\n", "three\n", "last"};
	struct str line = STR_INIT;
	struct in in;
	char buf[4]; /* lines are longer than the buffer */

	(void)state;
	open_on(&in, "one\n\nthree\nlast", buf, sizeof(buf));
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_int_equal(in_line(&in, &line, 100), 1);
		assert_string_equal(line.s, want[i]);
	}
	assert_int_equal(in_line(&in, &line, 100), IN_EOF);
	assert_int_equal(in_line(&in, &line, 100), IN_EOF);
	assert_int_equal(line.len, 0);
	fd_close(in.fd);
	str_free(&line);
}

static void
test_lines_that_are_too_long(void **state)
{
	struct str line = STR_INIT;
	struct in in;
	char buf[4];

	(void)state;
	open_on(&in, "1234\n12345\nx\n", buf, sizeof(buf));
	assert_int_equal(in_line(&in, &line, 5), 1);
	assert_string_equal(line.s, "1234\n");
	assert_int_equal(in_line(&in, &line, 5), IN_TOO_LONG);
	assert_string_equal(line.s, "12345");
	assert_int_equal(in_line(&in, &line, 5), 1);
	assert_string_equal(line.s, "\n");
	assert_int_equal(in_line(&in, &line, 0), IN_TOO_LONG);
	assert_int_equal(in_line(&in, &line, 5), 1);
	assert_string_equal(line.s, "x\n");
	fd_close(in.fd);
	str_free(&line);
}

static void
test_bytes_and_blocks(void **state)
{
	struct in in;
	char buf[3], to[8];

	(void)state;
	open_on(&in, "a\377cdefgh", buf, sizeof(buf));
	assert_int_equal(in_byte(&in), 'a');
	assert_int_equal(in_byte(&in), 255);
	assert_int_equal(in_read(&in, to, 8), 1);
	assert_int_equal(in_read_full(&in, to, 4), 1);
	assert_memory_equal(to, "defg", 4);
	assert_int_equal(in_read_full(&in, to, 2), 0);
	assert_int_equal(in_byte(&in), -1);
	assert_int_equal(in.error, 0);
	assert_true(in.eof);
	fd_close(in.fd);
}

static void
test_looking_ahead(void **state)
{
	struct in in;
	char buf[4];

	(void)state;
	open_on(&in, "abcdef", buf, sizeof(buf));
	assert_int_equal(in_fill(&in), 1);
	assert_int_equal(in_buffered(&in).len, 4);
	assert_int_equal(in_more(&in), 0);
	assert_int_equal(errno, ENOBUFS);
	in_skip(&in, 3);
	assert_int_equal(in_more(&in), 1);
	assert_int_equal(in_buffered(&in).len, 3);
	assert_memory_equal(in_buffered(&in).s, "def", 3);
	assert_int_equal(in_more(&in), 0); /* end of file */
	fd_close(in.fd);
}

static void
test_a_wait_ends_and_sticks(void **state)
{
	struct str line = STR_INIT;
	struct in in;
	char buf[8];
	int ends[2];

	(void)state;
	assert_int_equal(fd_pipe(ends), 0);
	in_init(&in, ends[0], 1, buf, sizeof(buf));
	assert_int_equal(fd_write_all(ends[1], "half", 4), 0);
	assert_int_equal(in_line(&in, &line, 100), IN_ERROR);
	assert_int_equal(in.error, ETIMEDOUT);
	assert_int_equal(fd_write_all(ends[1], "\n", 1), 0);
	errno = 0;
	assert_int_equal(in_line(&in, &line, 100), IN_ERROR);
	assert_int_equal(errno, ETIMEDOUT);
	fd_close(ends[0]);
	fd_close(ends[1]);
	str_free(&line);
}

/* The same when the system watches the deadline, on a socket that blocks and
   on one that does not. */
static void
test_a_socket_that_the_system_times(void **state)
{
	struct str line = STR_INIT;
	struct in in;
	char buf[8];
	int ends[2];

	(void)state;
	for (int blocks = 0; blocks < 2; blocks++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		if (!blocks)
			assert_int_equal(fd_nonblock(ends[0]), 0);
		in_init(&in, ends[0], 1, buf, sizeof(buf));
		in_time(&in);
		assert_true(in.is_timed);
		assert_int_equal(fd_write_all(ends[1], "one\nhalf", 8), 0);
		assert_int_equal(in_line(&in, &line, 100), 1);
		assert_string_equal(line.s, "one\n");
		assert_int_equal(in_line(&in, &line, 100), IN_ERROR);
		assert_int_equal(in.error, ETIMEDOUT);
		fd_close(ends[0]);
		fd_close(ends[1]);
	}
	str_free(&line);
}

static void
test_a_pipe_without_a_deadline(void **state)
{
	struct str line = STR_INIT;
	struct in in;
	char buf[8];

	(void)state;
	open_on(&in, "one\nlast", buf, sizeof(buf));
	in.timeout_s = 0;
	in_time(&in);
	assert_false(in.is_timed);
	assert_int_equal(in_line(&in, &line, 100), 1);
	assert_int_equal(in_line(&in, &line, 100), 1);
	assert_string_equal(line.s, "last");
	assert_int_equal(in_line(&in, &line, 100), IN_EOF);
	fd_close(in.fd);
	str_free(&line);
}

static void
test_a_tied_output_goes_first(void **state)
{
	struct out out;
	struct in in;
	char in_buf[8], out_buf[8], byte;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	in_init(&in, ends[0], 1, in_buf, sizeof(in_buf));
	out_init(&out, ends[0], 1, out_buf, sizeof(out_buf));
	in.tied = &out;
	assert_int_equal(fd_write_all(ends[1], "ab", 2), 0);
	assert_int_equal(in_byte(&in), 'a');
	out_cstr(&out, "x");
	/* no wait is needed for what is buffered */
	assert_int_equal(in_byte(&in), 'b');
	assert_int_equal(fd_wait_readable(ends[1], 0), 0);
	assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
	assert_int_equal(in_byte(&in), -1);
	assert_int_equal(read(ends[1], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	fd_close(ends[0]);
	fd_close(ends[1]);
}

static void
test_reading_what_cannot_be_read(void **state)
{
	struct in in;
	char buf[8];
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_not_equal(fd, -1);
	in_init(&in, fd, 0, buf, sizeof(buf));
	assert_int_equal(in_byte(&in), -1);
	assert_int_equal(in.error, EBADF);
	assert_int_equal(in_fill(&in), -1);
	fd_close(fd);
}

static void
test_writing(void **state)
{
	struct out out;
	char buf[4], got[64];
	int ends[2];
	ssize_t len;

	(void)state;
	assert_int_equal(fd_pipe(ends), 0);
	out_init(&out, ends[1], 5, buf, sizeof(buf));
	out_cstr(&out, "ab");
	assert_int_equal(fd_wait_readable(ends[0], 0), 0);
	out_cstr(&out, "cdefghijk");
	out_u64(&out, 0);
	out_u64(&out, UINT64_MAX);
	out_span(&out, SPAN_LITERAL("\0!"));
	out_write(&out, "", 0);
	assert_int_equal(out_flush(&out), 0);
	len = read(ends[0], got, sizeof(got));
	assert_int_equal(len, 34);
	assert_memory_equal(got, "abcdefghijk018446744073709551615\0!", 34);
	fd_close(ends[0]);
	out_cstr(&out, "lost");
	assert_int_equal(out_flush(&out), -1);
	assert_int_equal(errno, EPIPE);
	errno = 0;
	assert_int_equal(out_flush(&out), -1);
	assert_int_equal(errno, EPIPE);
	fd_close(ends[1]);
}

/* Every size of buffer and of piece gives the same bytes. */
static void
test_sizes(void **state)
{
	char text[200], buf[40], got[200];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	for (size_t size = 1; size <= sizeof(buf); size++) {
		for (size_t piece = 1; piece < 90; piece += 7) {
			struct out out;
			int ends[2];

			assert_int_equal(fd_pipe(ends), 0);
			out_init(&out, ends[1], 5, buf, size);
			for (size_t at = 0; at < sizeof(text); at += piece)
				out_write(&out, text + at,
				    sizeof(text) - at < piece
					? sizeof(text) - at
					: piece);
			assert_int_equal(out_flush(&out), 0);
			assert_int_equal(
			    read(ends[0], got, sizeof(got)), sizeof(got));
			assert_memory_equal(got, text, sizeof(got));
			fd_close(ends[0]);
			fd_close(ends[1]);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_lines_that_are_too_long),
	    cmocka_unit_test(test_bytes_and_blocks),
	    cmocka_unit_test(test_looking_ahead),
	    cmocka_unit_test(test_a_wait_ends_and_sticks),
	    cmocka_unit_test(test_a_socket_that_the_system_times),
	    cmocka_unit_test(test_a_pipe_without_a_deadline),
	    cmocka_unit_test(test_a_tied_output_goes_first),
	    cmocka_unit_test(test_reading_what_cannot_be_read),
	    cmocka_unit_test(test_writing),
	    cmocka_unit_test(test_sizes),
	};

	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
