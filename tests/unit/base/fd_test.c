/* fd: flags, moves, deadlines, and descriptors that travel in packets */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

static bool
is_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	assert_int_not_equal(flags, -1);
	return (flags & FD_CLOEXEC) != 0;
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) != -1;
}

static size_t
count_open(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += is_open(fd);
	return count;
}

static void
test_pipe_is_closed_on_exec(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(fd_pipe(ends), 0);
	assert_true(is_cloexec(ends[0]) && is_cloexec(ends[1]));
	assert_int_equal(fd_move(ends[0], ends[0]), 0);
	assert_false(is_cloexec(ends[0]));
	assert_int_equal(fd_cloexec(ends[0]), 0);
	assert_true(is_cloexec(ends[0]));
	assert_int_equal(fd_move(ends[0], 200), 0);
	assert_false(is_open(ends[0]));
	assert_false(is_cloexec(200));
	fd_close(200);
	fd_close(ends[1]);
}

static void
test_close_keeps_errno(void **state)
{
	(void)state;
	errno = ENOSPC;
	fd_close(-1);
	fd_close(250); /* not open */
	assert_int_equal(errno, ENOSPC);
}

static void
test_guard_fills_0_1_and_2(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_int_not_equal(child, -1);
	if (child == 0) {
		(void)close(0);
		(void)close(2);
		if (fd_guard_standard() == -1)
			_exit(1);
		_exit(is_open(0) && is_open(2) ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
test_waits_end(void **state)
{
	int ends[2];
	char byte;

	(void)state;
	assert_int_equal(fd_pipe(ends), 0);
	assert_int_equal(fd_wait_readable(ends[0], 0), 0);
	assert_int_equal(fd_wait_readable(ends[0], 20), 0);
	assert_int_equal(fd_wait_writable(ends[1], 0), 1);
	assert_int_equal(fd_read_timeout(ends[0], &byte, 1, 1), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(fd_write_all(ends[1], "x", 1), 0);
	assert_int_equal(fd_wait_readable(ends[0], -1), 1);
	assert_int_equal(fd_read_timeout(ends[0], &byte, 1, 1), 1);
	fd_close(ends[1]);
	assert_int_equal(fd_read_timeout(ends[0], &byte, 1, 1), 0);
	assert_int_equal(fd_read_timeout(ends[0], &byte, 1, 0), 0);
	fd_close(ends[0]);
}

static void
check_write_deadline(int from, int to)
{
	size_t size = 4 * 1024 * 1024;
	char *much = calloc(1, size);
	int64_t start = clock_mono_ms();

	assert_non_null(much);
	assert_int_equal(fd_write_timeout(to, much, size, 1), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(clock_mono_ms() - start >= 900);
	fd_close(from);
	assert_int_equal(fd_write_timeout(to, much, size, 1), -1);
	assert_int_equal(errno, EPIPE);
	fd_close(to);
	free(much);
}

static void
test_writing_to_who_does_not_read_ends(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(fd_pipe(ends), 0);
	check_write_deadline(ends[0], ends[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	check_write_deadline(ends[0], ends[1]);
}

static void
test_packets_carry_a_descriptor(void **state)
{
	int ends[2], message[2], got;
	char buf[16], byte;

	(void)state;
	assert_int_equal(fd_packet_pair(ends), 0);
	assert_true(is_cloexec(ends[0]) && is_cloexec(ends[1]));
	assert_int_equal(fd_pipe(message), 0);
	assert_int_equal(
	    fd_send_packet(ends[0], SPAN_LITERAL("one"), message[0]), 0);
	assert_int_equal(fd_send_packet(ends[0], SPAN_LITERAL("two"), -1), 0);
	assert_int_equal(fd_receive_packet(ends[1], buf, sizeof(buf), &got), 3);
	assert_memory_equal(buf, "one", 3);
	assert_int_not_equal(got, -1);
	assert_int_not_equal(got, message[0]);
	assert_true(is_cloexec(got));
	assert_true(is_open(message[0]));
	assert_int_equal(fd_write_all(message[1], "x", 1), 0);
	assert_int_equal(read(got, &byte, 1), 1);
	fd_close(got);
	assert_int_equal(fd_receive_packet(ends[1], buf, sizeof(buf), &got), 3);
	assert_int_equal(got, -1);
	fd_close(message[0]);
	fd_close(message[1]);
	fd_close(ends[0]);
	assert_int_equal(fd_receive_packet(ends[1], buf, sizeof(buf), &got), 0);
	fd_close(ends[1]);
}

static void
test_packets_of_the_maximum(void **state)
{
	char *buf = calloc(1, FD_PACKET_MAX + 1);
	int ends[2], got;

	(void)state;
	assert_non_null(buf);
	assert_int_equal(fd_packet_pair(ends), 0);
	assert_int_equal(
	    fd_send_packet(ends[0], (struct span){buf, FD_PACKET_MAX}, -1), 0);
	assert_int_equal(fd_receive_packet(ends[1], buf, FD_PACKET_MAX, &got),
	    FD_PACKET_MAX);
	fd_close(ends[0]);
	fd_close(ends[1]);
	free(buf);
}

static void
test_a_packet_that_is_cut_leaves_nothing(void **state)
{
	int ends[2], got;
	char buf[4];
	size_t before;

	(void)state;
	assert_int_equal(fd_packet_pair(ends), 0);
	before = count_open();
	assert_int_equal(
	    fd_send_packet(ends[0], SPAN_LITERAL("too long"), ends[0]), 0);
	assert_int_equal(
	    fd_receive_packet(ends[1], buf, sizeof(buf), &got), -1);
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(got, -1);
	assert_int_equal(count_open(), before);
	fd_close(ends[0]);
	fd_close(ends[1]);
}

static void
test_bytes_are_not_lost_without_room_for_a_descriptor(void **state)
{
	int ends[2], got;
	struct rlimit limit, none;
	char buf[4];

	(void)state;
	assert_int_equal(fd_packet_pair(ends), 0);
	assert_int_equal(
	    fd_send_packet(ends[0], SPAN_LITERAL("job"), ends[0]), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(fd_receive_packet(ends[1], buf, sizeof(buf), &got), 3);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(got, -1);
	fd_close(ends[0]);
	fd_close(ends[1]);
}

/* A peer that sends count descriptors at once. */
static void
send_many(int sock, size_t count)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(8 * sizeof(int))];
	} control;
	char byte = 'x';
	struct iovec part = {&byte, 1};
	struct msghdr msg = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.room,
	    .msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *head;
	int fds[8];

	memset(&control, 0, sizeof(control));
	for (size_t i = 0; i < count; i++)
		fds[i] = sock;
	head = CMSG_FIRSTHDR(&msg);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(head), fds, count * sizeof(int));
	assert_int_equal(sendmsg(sock, &msg, 0), 1);
}

static void
test_several_descriptors_are_all_closed(void **state)
{
	int ends[2], got;
	char buf[4];
	size_t before;

	(void)state;
	assert_int_equal(fd_packet_pair(ends), 0);
	before = count_open();
	for (size_t count = 2; count <= 8; count++) {
		send_many(ends[0], count);
		assert_int_equal(
		    fd_receive_packet(ends[1], buf, sizeof(buf), &got), -1);
		assert_int_equal(errno, EMSGSIZE);
		assert_int_equal(got, -1);
		assert_int_equal(count_open(), before);
	}
	fd_close(ends[0]);
	fd_close(ends[1]);
}

static void
test_a_full_socket_does_not_block_the_sender(void **state)
{
	int ends[2], result;

	(void)state;
	assert_int_equal(fd_packet_pair(ends), 0);
	assert_int_equal(fd_nonblock(ends[0]), 0);
	do
		result = fd_send_packet(ends[0], SPAN_LITERAL("x"), -1);
	while (result == 0);
	assert_int_equal(errno, EAGAIN);
	fd_close(ends[0]);
	fd_close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pipe_is_closed_on_exec),
	    cmocka_unit_test(test_close_keeps_errno),
	    cmocka_unit_test(test_guard_fills_0_1_and_2),
	    cmocka_unit_test(test_waits_end),
	    cmocka_unit_test(test_writing_to_who_does_not_read_ends),
	    cmocka_unit_test(test_packets_carry_a_descriptor),
	    cmocka_unit_test(test_packets_of_the_maximum),
	    cmocka_unit_test(test_a_packet_that_is_cut_leaves_nothing),
	    cmocka_unit_test(
		test_bytes_are_not_lost_without_room_for_a_descriptor),
	    cmocka_unit_test(test_several_descriptors_are_all_closed),
	    cmocka_unit_test(test_a_full_socket_does_not_block_the_sender),
	};

	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
