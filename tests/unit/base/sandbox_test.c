/* sandbox: what is taken away, what stays, and that a kernel may lack parts */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "base/sandbox_calls.h"
#include "base/sandbox_linux.h"

enum {
	REFUSED = 1,
	FREE = 0,
	ODD = 2
};

static struct {
	char place[64];
	bool has_filter;
} test;

static bool
was_refused(long result)
{
	return result == -1 &&
	    (errno == EPERM || errno == EACCES || errno == ENOSYS ||
		errno == EXDEV);
}

/* Runs attempt in a child, in the sandbox if there is one: REFUSED, FREE, or
   ODD if the child died otherwise. */
static int
in_sandbox(const struct sandbox *rights, bool (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		if (chdir(test.place) == -1)
			_exit(ODD);
		if (rights != NULL)
			sandbox_enter(rights);
		_exit(attempt() ? REFUSED : FREE);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : ODD;
}

static int
opens(const char *path, int flags)
{
	return open(path, flags | O_CLOEXEC, 0600);
}

/* ---- attempts ------------------------------------------------------------ */

static bool
write_elsewhere(void)
{
	return was_refused(opens("elsewhere", O_WRONLY | O_CREAT));
}

static bool
write_inside(void)
{
	return was_refused(opens("inside/new", O_WRONLY | O_CREAT)) ||
	    was_refused(rename("inside/new", "inside/below/old")) ||
	    was_refused(link("inside/below/old", "inside/again")) ||
	    was_refused(unlink("inside/again")) ||
	    was_refused(unlink("inside/below/old"));
}

static bool
move_out(void)
{
	return was_refused(rename("inside/kept", "kept"));
}

static bool
read_elsewhere(void)
{
	return was_refused(opens("secret", O_RDONLY));
}

static bool
read_inside(void)
{
	return was_refused(opens("inside/kept", O_RDONLY));
}

static bool
read_link(void)
{
	return was_refused(opens("inside/link", O_RDONLY));
}

static bool
write_to_read(void)
{
	return was_refused(opens("inside/kept", O_RDWR));
}

static bool
read_replaced(void)
{
	if (opens("inside/fresh", O_WRONLY | O_CREAT) == -1)
		return true;
	if (rename("inside/fresh", "inside/kept") == -1)
		return true;
	return read_inside();
}

static bool
run(void)
{
	char *none[] = {NULL};

	return was_refused(execve("/nonexistent", none, none));
}

static bool
start_child(void)
{
	return was_refused(fork());
}

static bool
make_internet_socket(void)
{
	return was_refused(socket(AF_INET, SOCK_STREAM, 0));
}

static bool
make_local_socket(void)
{
	return was_refused(socket(AF_UNIX, SOCK_STREAM, 0));
}

static bool
signal_parent(void)
{
	return was_refused(kill(getppid(), 0));
}

static bool
signal_itself(void)
{
	return was_refused(kill(getpid(), 0));
}

static bool
have_signals_sent(void)
{
	return was_refused(fcntl(0, F_SETOWN, getppid()));
}

static bool
use_io_uring(void)
{
	return was_refused(syscall(425, 1, NULL));
}

static bool
leave_directory_and_return(void)
{
	int back = opens(".", O_RDONLY | O_DIRECTORY);

	return was_refused(back) || was_refused(chdir("inside")) ||
	    was_refused(fchdir(back));
}

static bool
use_what_is_open(void)
{
	int ends[2];
	char byte;

	return was_refused(pipe(ends)) || was_refused(write(ends[1], "x", 1)) ||
	    was_refused(read(ends[0], &byte, 1)) ||
	    was_refused(fcntl(ends[0], F_SETFD, FD_CLOEXEC)) ||
	    was_refused(dup2(ends[0], ends[1]));
}

/* A second call takes more away, and gives nothing back. */
static bool
enter_again(void)
{
	static const struct sandbox more = {.may = SANDBOX_NET, .write = {"."}};

	sandbox_enter(&more);
	return make_internet_socket() && write_elsewhere() && run();
}

static bool
has_no_new_privs(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

/* ---- tests --------------------------------------------------------------- */

static const struct sandbox nothing = {.may = 0},
			    local = {.may = SANDBOX_LOCAL},
			    net = {.may = SANDBOX_NET},
			    listener = {.may = SANDBOX_LISTEN},
			    starter = {.may = SANDBOX_START, .read = {"/"}},
			    names = {.may = SANDBOX_NAMES, .read = {"/"}},
			    reader = {.read = {"inside"}},
			    no_links = {.read = {"inside"}, .no_links = true},
			    file_reader = {.may = SANDBOX_START,
				.read = {"inside/kept"},
				.write = {"inside/below"}},
			    writer = {.write = {"missing", "inside"}};

static void
test_attempts(void **state)
{
	enum {
		BY_FILTER = 100
	}; /* else the version of Landlock */
	static const struct {
		const char *what;
		const struct sandbox *rights;
		bool (*attempt)(void);
		int want, needs;
	} rows[] = {
	    {"no_new_privs", &nothing, has_no_new_privs, REFUSED, 0},
	    {"what is open", &nothing, use_what_is_open, FREE, 0},
	    {"write", &nothing, write_elsewhere, REFUSED, BY_FILTER},
	    {"write, Landlock", &writer, write_elsewhere, REFUSED, 2},
	    {"write below", &writer, write_inside, FREE, 0},
	    {"move out", &writer, move_out, REFUSED, 2},
	    {"a link", &reader, read_link, FREE, 0},
	    {"a link that was said not to be there", &no_links, read_link,
		SANDBOX_IS_CHECKED ? FREE : REFUSED, 1},
	    {"read below, no links", &no_links, read_inside, FREE, 0},
	    {"read below", &reader, read_inside, FREE, 0},
	    {"write what is read", &reader, write_to_read, REFUSED, BY_FILTER},
	    {"read elsewhere", &reader, read_elsewhere,
		SANDBOX_IS_CHECKED ? FREE : REFUSED, 1},
	    {"a file", &file_reader, read_inside, FREE, 0},
	    {"exec", &nothing, run, REFUSED, BY_FILTER},
	    {"exec, names", &names, run, REFUSED, BY_FILTER},
	    {"exec, starter", &starter, run, FREE, 0},
	    {"fork", &local, start_child, SANDBOX_IS_CHECKED ? FREE : REFUSED,
		BY_FILTER},
	    {"fork, starter", &starter, start_child, FREE, 0},
	    {"internet", &nothing, make_internet_socket, REFUSED, BY_FILTER},
	    {"internet, local", &local, make_internet_socket, REFUSED,
		BY_FILTER},
	    {"internet, listener", &listener, make_internet_socket, REFUSED,
		BY_FILTER},
	    {"internet, net", &net, make_internet_socket, FREE, 0},
	    {"internet, names", &names, make_internet_socket, FREE, 0},
	    {"socket", &nothing, make_local_socket, REFUSED, BY_FILTER},
	    {"socket, local", &local, make_local_socket, FREE, 0},
	    {"socket, listener", &listener, make_local_socket, FREE, 0},
	    {"kill", &nothing, signal_parent, REFUSED,
		SANDBOX_IS_CHECKED ? 6 : BY_FILTER},
	    {"kill, starter", &starter, signal_parent, REFUSED, 6},
	    {"raise", &nothing, signal_itself, FREE, 0},
	    {"F_SETOWN", &starter, have_signals_sent, REFUSED, BY_FILTER},
	    {"io_uring", &starter, use_io_uring, REFUSED, BY_FILTER},
	    {"directory", &local, leave_directory_and_return, FREE, 0},
	    {"again", &nothing, enter_again, REFUSED, BY_FILTER},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int got = in_sandbox(rows[i].rights, rows[i].attempt);
		bool there = rows[i].needs == BY_FILTER
		    ? test.has_filter
		    : sandbox_landlock_version() >= rows[i].needs;

		if (there && got != rows[i].want)
			fail_msg(
			    "%s: %d, not %d", rows[i].what, got, rows[i].want);
	}
}

/* Else the rows above would show nothing. */
static void
test_all_succeeds_without(void **state)
{
	static bool (*const attempts[])(void) = {write_elsewhere, write_inside,
	    read_elsewhere, read_inside, read_link, write_to_read, run,
	    start_child, make_internet_socket, make_local_socket, signal_parent,
	    signal_itself, have_signals_sent, use_what_is_open,
	    leave_directory_and_return, has_no_new_privs};

	(void)state;
	for (size_t i = 0; i < COUNT(attempts); i++)
		assert_int_equal(in_sandbox(NULL, attempts[i]), FREE);
}

/* A file stands for its directory: it may be replaced by another process. */
static void
test_file_is_replaced(void **state)
{
	static const struct sandbox both = {
	    .read = {"inside/kept"}, .write = {"inside"}};

	(void)state;
	assert_int_equal(in_sandbox(&both, read_replaced), FREE);
}

static void
test_table_of_calls(void **state)
{
	uint8_t actions[SANDBOX_CALLS];

	(void)state;
	sandbox_calls(actions, &nothing);
	assert_int_equal(actions[SYS_read], SANDBOX_ALLOW);
	assert_int_equal(actions[SYS_execve], SANDBOX_REFUSE);
	assert_int_equal(actions[SYS_mount], SANDBOX_REFUSE);
	assert_int_equal(actions[SYS_connect], SANDBOX_REFUSE);
	assert_int_equal(actions[SYS_fcntl], SANDBOX_FCNTL);
	/* new ones look as if the kernel was old */
	assert_int_equal(actions[435 /* clone3 */], SANDBOX_UNKNOWN);
	assert_int_equal(actions[437 /* openat2 */], SANDBOX_UNKNOWN);
	assert_int_equal(actions[SANDBOX_CALLS - 1], SANDBOX_UNKNOWN);
	sandbox_calls(actions, &writer);
	assert_int_equal(actions[SYS_openat], SANDBOX_ALLOW);
	assert_int_equal(actions[SYS_socket], SANDBOX_REFUSE);
	sandbox_calls(actions, &local);
	assert_int_equal(actions[SYS_socket], SANDBOX_SOCKET);
	assert_int_equal(actions[SYS_connect], SANDBOX_ALLOW);
	assert_int_equal(actions[SYS_unlinkat], SANDBOX_REFUSE);
	sandbox_calls(actions, &starter);
	assert_int_equal(actions[SYS_execve], SANDBOX_ALLOW);
	assert_int_equal(
	    actions[444 /* Landlock, for children */], SANDBOX_ALLOW);
	if (!SANDBOX_IS_CHECKED) {
		assert_int_equal(actions[SYS_clone], SANDBOX_CLONE);
		sandbox_calls(actions, &names);
		assert_int_equal(actions[SYS_clone], SANDBOX_CLONE_THREAD);
	}
}

/* ---- the place ----------------------------------------------------------- */

static void
put(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	(void)close(fd);
}

static int
set_up(void **state)
{
	(void)state;
	(void)strcpy(test.place, "/tmp/sandbox-test-XXXXXX");
	assert_non_null(mkdtemp(test.place));
	assert_int_equal(chdir(test.place), 0);
	assert_int_equal(mkdir("inside", 0700), 0);
	assert_int_equal(mkdir("inside/below", 0700), 0);
	assert_int_equal(mkdir("other", 0700), 0);
	put("secret");
	put("inside/kept");
	put("other/file");
	assert_int_equal(symlink("../other/file", "inside/link"), 0);
#if defined(__x86_64__) || defined(__aarch64__)
	test.has_filter = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != -1;
#endif
	(void)printf("# Landlock %d, filter %d\n", sandbox_landlock_version(),
	    (int)test.has_filter);
	return 0;
}

static int
take_down(void **state)
{
	static const char *const files[] = {"secret", "elsewhere", "kept",
	    "inside/kept", "inside/new", "inside/link", "other/file"};
	static const char *const directories[] = {
	    "inside/below", "inside", "other"};

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++)
		(void)unlink(files[i]);
	for (size_t i = 0; i < COUNT(directories); i++)
		assert_int_equal(rmdir(directories[i]), 0);
	assert_int_equal(chdir("/"), 0);
	return rmdir(test.place);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_succeeds_without),
	    cmocka_unit_test(test_attempts),
	    cmocka_unit_test(test_file_is_replaced),
	    cmocka_unit_test(test_table_of_calls),
	};

	return cmocka_run_group_tests(tests, set_up, take_down);
}
