/*
 * What qmail-checkpass gets on descriptor 3, and a file of passwords (up to the
 * first 0xff byte), with a stand-in for crypt: whoever gets in is in the file
 * with that password, and is not root; and he becomes whom the file says.
 *
 * The program is taken in whole; it ends by jumping back here.
 */
#include "../fuzz.h"
#include "../program.h"

#include <sys/types.h>

static void leave_program(int code) __attribute__((noreturn));
static int run_program(void) __attribute__((noreturn));
static char *stand_in_for_crypt(const char *password);
static int drop(uid_t uid, gid_t gid);
#include <crypt.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/privilege.h"

/* Descriptor 3 may be another's here. */
static int own_descriptor(int fd);
#define fd_read_timeout(fd, buf, len, timeout_s)                               \
	(fd_read_timeout)(own_descriptor(fd), buf, len, timeout_s)
#define fd_close(fd) (fd_close)(own_descriptor(fd))
#define main checkpass_main
#define _exit(code) leave_program(code)
#define die_sys(...) leave_program(EXIT_TEMP)
#define die_temp(...) leave_program(EXIT_TEMP)
#define execvp(file, argv) ((void)(file), (void)(argv), run_program())
#define crypt(password, setting) ((void)(setting), stand_in_for_crypt(password))
#define privilege_drop(uid, gid) drop(uid, gid)
#define setenv(name, value, over) 0
#include "../../../src/pop3/qmail-checkpass.c"
#undef main
#undef _exit
#undef die_sys
#undef die_temp
#undef execvp
#undef crypt
#undef privilege_drop
#undef setenv
#undef fd_read_timeout
#undef fd_close

enum {
	STARTED = 200, /* stands for the exit code of the next program */
};

static int top; /* the directory that all is in */
static int secret_file;
static bool has_dropped;
static uid_t dropped_uid;
static gid_t dropped_gid;

static int
own_descriptor(int fd)
{
	return fd == 3 ? secret_file : fd;
}

static void
leave_program(int code)
{
	longjmp(end_of_program, code);
}

static int
run_program(void)
{
	leave_program(STARTED);
}

/* A hash is 'h' and the password. */
static char *
stand_in_for_crypt(const char *password)
{
	static char made[SECRET_MAX + 2];

	made[0] = 'h';
	memcpy(made + 1, password, strlen(password) + 1);
	return made;
}

static int
drop(uid_t uid, gid_t gid)
{
	has_dropped = true;
	dropped_uid = uid;
	dropped_gid = gid;
	return 0;
}

/* The first line of that user; none with a NUL counts. */
static bool
find_line(struct span file, struct span user, struct span *hash)
{
	while (file.len > 0) {
		struct span line = span_trim_right(fuzz_until(&file, '\n'));
		struct span name;

		if (line.len == 0 || line.s[0] == '#' ||
		    span_find(line, '\0') != SPAN_NONE)
			continue;
		name = fuzz_until(&line, ':');
		if (span_equal(name, user)) {
			*hash = fuzz_until(&line, ':');
			return true;
		}
	}
	return false;
}

static void
check_started(struct span file, struct span secret)
{
	struct span user = fuzz_until(&secret, '\0');
	struct span password = fuzz_until(&secret, '\0'), hash;

	require(user.len > 0 && find_line(file, user, &hash));
	require(hash.len == password.len + 1 && hash.s[0] == 'h');
	require(span_equal(span_from(hash, 1), password));
	require(has_dropped && dropped_uid != 0 && dropped_gid != 0);
}

static void
prepare(struct span file, struct span secret)
{
	static char home[4096];

	if (home[0] == '\0') {
		fuzz_enter_directory();
		require(getcwd(home, sizeof(home)) != NULL);
		require(setenv("QMAILHOME", home, 1) == 0);
		fuzz_make_directory("users");
		fuzz_make_directory("users/joe");
		top = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		require(top != -1);
	}
	require(fchdir(top) == 0);
	fuzz_write_file("users/passwd", file);
	fuzz_write_file("secret", secret);
	secret_file = open("secret", O_RDONLY);
	require(secret_file != -1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, file;
	char name[] = "qmail-checkpass", program[] = "next";
	char *argv[] = {name, program, NULL};
	int code;

	fuzz_hush();
	file = fuzz_until(&input, '\377');
	prepare(file, input);
	has_dropped = false;
	str_free(&checkpass.text);
	code = setjmp(end_of_program);
	if (code == 0)
		(void)checkpass_main(2, argv);
	require(code == EXIT_REJECTED || code == EXIT_MISUSE ||
	    code == EXIT_TEMP || code == STARTED);
	if (code == STARTED)
		check_started(file, input);
	if (code == EXIT_REJECTED)
		require(!has_dropped);
	fuzz_speak();
	return 0;
}
