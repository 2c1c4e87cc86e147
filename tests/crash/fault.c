/*
 * fault - makes the nth system call of one program fail, or kills behind it
 *
 * Preloaded into dynamically linked programs. Environment:
 *   FAULT_PROGRAM  the program's short name; all others run undisturbed
 *   FAULT_CLASS    "io" counts file and socket calls, "mem" allocations
 *   FAULT_AT       the number of the call that is hit, from 1; 0 only counts
 *   FAULT_ERRNO    a number: the call fails with it and has no effect;
 *                  0: the call is made, then the process gets SIGKILL
 *   FAULT_COUNT    a file to which each process appends "COUNT\n" when it ends
 * Each process counts for itself, a forked child from its parent's count on.
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static struct {
	bool active, memory;
	long at, error, count;
	const char *count_file;
} fault;

__attribute__((constructor)) static void
start(void)
{
	const char *program = getenv("FAULT_PROGRAM");
	const char *kind = getenv("FAULT_CLASS");
	const char *at = getenv("FAULT_AT"), *error = getenv("FAULT_ERRNO");

	if (program == NULL ||
	    strcmp(program, program_invocation_short_name) != 0)
		return;
	fault.memory = kind != NULL && strcmp(kind, "mem") == 0;
	fault.at = at ? atol(at) : 0;
	fault.error = error ? atol(error) : 0;
	fault.count_file = getenv("FAULT_COUNT");
	fault.active = true;
}

__attribute__((destructor)) static void
finish(void)
{
	char line[24];
	size_t i = sizeof(line);
	long left = fault.count;
	int fd;

	if (!fault.active || fault.count_file == NULL)
		return;
	fault.active = false;
	line[--i] = '\n';
	do
		line[--i] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	fd = (int)syscall(SYS_openat, AT_FDCWD, fault.count_file,
	    O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd != -1) {
		(void)syscall(SYS_write, fd, line + i, sizeof(line) - i);
		(void)syscall(SYS_close, fd);
	}
}

/* _exit runs no destructors, and daemons end with it. */
void
_exit(int status)
{
	finish();
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}

/* True if this call is to fail; errno is set. */
static bool
hit(bool memory)
{
	if (!fault.active || memory != fault.memory)
		return false;
	fault.count++;
	if (fault.count != fault.at || fault.error == 0)
		return false;
	errno = (int)fault.error;
	return true;
}

static void
after(bool memory)
{
	if (fault.active && memory == fault.memory && fault.at != 0 &&
	    fault.count == fault.at && fault.error == 0)
		(void)kill(getpid(), SIGKILL);
}

#define REAL(name)                                                             \
	static __typeof__(&name) real;                                         \
	if (real == NULL)                                                      \
	real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define WRAP(type, name, parameters, arguments)                                \
	type name parameters                                                   \
	{                                                                      \
		type result;                                                   \
		REAL(name);                                                    \
		if (hit(false))                                                \
			return (type)-1;                                       \
		result = real arguments;                                       \
		after(false);                                                  \
		return result;                                                 \
	}

WRAP(ssize_t, read, (int fd, void *buf, size_t len), (fd, buf, len))
WRAP(ssize_t, write, (int fd, const void *buf, size_t len), (fd, buf, len))
WRAP(ssize_t, pread, (int fd, void *buf, size_t len, off_t at),
    (fd, buf, len, at))
WRAP(ssize_t, pwrite, (int fd, const void *buf, size_t len, off_t at),
    (fd, buf, len, at))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, link, (const char *from, const char *to), (from, to))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, ftruncate, (int fd, off_t len), (fd, len))
WRAP(int, flock, (int fd, int how), (fd, how))
WRAP(int, chdir, (const char *path), (path))
WRAP(int, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, stat, (const char *path, struct stat *st), (path, st))
WRAP(int, chmod, (const char *path, mode_t mode), (path, mode))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(off_t, lseek, (int fd, off_t at, int whence), (fd, at, whence))
WRAP(
    int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, bind, (int fd, const struct sockaddr *to, socklen_t len),
    (fd, to, len))
WRAP(int, connect, (int fd, const struct sockaddr *to, socklen_t len),
    (fd, to, len))
WRAP(int, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, accept, (int fd, struct sockaddr *from, socklen_t *len),
    (fd, from, len))
WRAP(int, socketpair, (int domain, int type, int protocol, int ends[2]),
    (domain, type, protocol, ends))
WRAP(int, pipe, (int ends[2]), (ends))
WRAP(int, poll, (struct pollfd * items, nfds_t count, int timeout),
    (items, count, timeout))
WRAP(ssize_t, send, (int fd, const void *buf, size_t len, int flags),
    (fd, buf, len, flags))
WRAP(ssize_t, recv, (int fd, void *buf, size_t len, int flags),
    (fd, buf, len, flags))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags),
    (fd, msg, flags))
WRAP(
    ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))
WRAP(pid_t, fork, (void), ())

int
open(const char *path, int flags, ...)
{
	int result, mode = 0;

	if (flags & O_CREAT) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	if (hit(false))
		return -1;
	result = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	after(false);
	return result;
}

int
close(int fd)
{
	bool fail = hit(false);
	int error = errno;
	int result = (int)syscall(SYS_close, fd);

	after(false);
	if (fail) {
		errno = error; /* the descriptor is gone all the same */
		return -1;
	}
	return result;
}

DIR *
opendir(const char *path)
{
	DIR *result;
	REAL(opendir);

	if (hit(false))
		return NULL;
	result = real(path);
	after(false);
	return result;
}

void *
mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	void *result;

	if (hit(false))
		return MAP_FAILED;
	result =
	    (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
	after(false);
	return result;
}

void *
malloc(size_t size)
{
	void *result = hit(true) ? NULL : __libc_malloc(size);

	after(true);
	return result;
}

void *
calloc(size_t count, size_t size)
{
	void *result = hit(true) ? NULL : __libc_calloc(count, size);

	after(true);
	return result;
}

void *
realloc(void *old, size_t size)
{
	void *result = hit(true) ? NULL : __libc_realloc(old, size);

	after(true);
	return result;
}
