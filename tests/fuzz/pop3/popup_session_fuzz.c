/*
 * A whole login with qmail-popup; the first byte is how the password check
 * ends. Only a check that was asked lets a client in; what it is given is user,
 * password and banner, each with one NUL, and no more than it reads; all that
 * the client hears is lines.
 *
 * The program is taken in whole; it ends by jumping back here.
 */
#include "../fuzz.h"
#include "../program.h"

#include <sys/types.h>
#include <sys/wait.h>

#include "base/fd.h"

static void leave_program(int code) __attribute__((noreturn));
static int make_pipe(int ends[2]);
static pid_t start_check(void);
static pid_t wait_for_check(int *status);
#define main popup_main
#define _exit(code) leave_program(code)
#define fork() start_check()
#define waitpid(pid, status, options)                                          \
	((void)(pid), (void)(options), wait_for_check(status))
#define fd_pipe(ends) make_pipe(ends)
#include "../../../src/pop3/qmail-popup.c"
#undef main
#undef _exit
#undef fork
#undef waitpid
#undef fd_pipe

static int input_file = -1, output_file = -1;
static int pipe_ends[2];
static unsigned checks; /* how often a password was checked */
static unsigned char result;

static void
leave_program(int code)
{
	require(code == 1);
	longjmp(end_of_program, 1);
}

static int
make_pipe(int ends[2])
{
	require(pipe(ends) == 0);
	memcpy(pipe_ends, ends, sizeof(pipe_ends));
	return 0;
}

/* Where the subprogram would begin: it has got its secret by now. */
static pid_t
start_check(void)
{
	char buf[SECRET_MAX + 1];
	ssize_t got = read(pipe_ends[0], buf, sizeof(buf));
	struct span secret, user, password, banner;

	require(got > 0 && got <= SECRET_MAX);
	secret = (struct span){buf, (size_t)got};
	require(fuzz_count(secret, '\0') == 3);
	user = fuzz_until(&secret, '\0');
	password = fuzz_until(&secret, '\0');
	banner = fuzz_until(&secret, '\0');
	require(secret.len == 0 && span_equal(banner, str_span(&popup.banner)));
	require(span_find(user, '\n') == SPAN_NONE || user.len > 0);
	require(user.len + password.len > 0);
	checks++;
	return 1;
}

static pid_t
wait_for_check(int *status)
{
	/* an exit code, or a signal */
	*status = result & 128 ? 9 : (result & 127) << 8;
	return 1;
}

static void
check_replies(struct span said)
{
	require(said.len >= 2);
	require(memcmp(said.s + said.len - 2, "\r\n", 2) == 0);
	while (said.len > 0) {
		struct span line = fuzz_until(&said, '\n');

		require(line.len > 0 && line.s[line.len - 1] == '\r');
		require(fuzz_is_printable(span_until(line, line.len - 1)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char said[65536];
	struct span input = {(const char *)data, size};
	char name[] = "qmail-popup", host[] = "host", program[] = "check";
	char *argv[] = {name, host, program, NULL};
	ssize_t got;

	fuzz_hush();
	fuzz_enter_directory();
	if (input_file == -1) {
		input_file = open("input", O_RDWR | O_CREAT, 0600);
		output_file = open("output", O_RDWR | O_CREAT, 0600);
		require(input_file != -1 && output_file != -1);
	}
	result = fuzz_byte(&input);
	require(
	    ftruncate(input_file, 0) == 0 && ftruncate(output_file, 0) == 0);
	require(
	    pwrite(input_file, input.s, input.len, 0) == (ssize_t)input.len);
	require(lseek(input_file, 0, SEEK_SET) == 0 &&
	    lseek(output_file, 0, SEEK_SET) == 0);
	require(dup2(input_file, 0) == 0 && dup2(output_file, 1) == 1);
	popup.has_user = false;
	checks = 0;
	if (setjmp(end_of_program) == 0)
		(void)popup_main(3, argv);
	require(checks <= 1);
	got = pread(output_file, said, sizeof(said), 0);
	require(got > 0 && (size_t)got < sizeof(said));
	check_replies((struct span){said, (size_t)got});
	/* who is refused is told so */
	said[got] = '\0';
	if (checks == 1 && (result & 127) != 0)
		require(strstr(said, "\n-ERR a") != NULL);
	fuzz_speak();
	return 0;
}
