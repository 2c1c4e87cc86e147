/*
 * fault - makes the nth system call of one program fail, or kills behind it
 *
 * Preloaded into dynamically linked programs. Environment:
 *   FAULT_PROGRAM  the program's short name; all others run undisturbed
 *   FAULT_CLASS    "io" counts file and socket calls, "mem" allocations
 *   FAULT_AT       the number of the call that is hit, from 1; 0 only counts;
 *                  -1 hits each call
 *   FAULT_ERRNO    a number: the call fails with it and has no effect;
 *                  0: the call is made, then the process gets SIGKILL;
 *                  -1: if it reads or writes a stream, it moves one byte
 *   FAULT_COUNT    a file to which each process appends "COUNT\n" when it ends
 *                  or becomes another program
 *   FAULT_ONCE     a file, empty: of all processes that are given it, only the
 *                  first one that comes to the call is hit
 *   FAULT_FORGET   a file that never got to the disk though memory has it: it
 *                  is all zeros as soon as memory is to forget it
 * Each process counts for itself, a forked child from its parent's count on.
 * What makes system calls and is not here: test_faults_complete.py has the
 * reasons.
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <resolv.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static struct {
	bool active, memory;
	long at, error, count;
	/* both are opened at the start: later a sandbox may refuse it */
	int count_fd;
	atomic_int *hits; /* of all processes that share FAULT_ONCE, or NULL */
} fault;

static int
open_file(const char *path)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path,
	    O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

/* A descriptor above the numbers that the program closes or counts on. */
static int
open_high(const char *path)
{
	int low = open_file(path), high = -1;

	if (low != -1) {
		high = (int)syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, 200);
		(void)syscall(SYS_close, low);
	}
	return high;
}

/* The file as memory that all processes share. */
static atomic_int *
open_hits(const char *path)
{
	int fd = open_file(path);
	long at = -1;

	if (fd != -1 && syscall(SYS_ftruncate, fd, sizeof(atomic_int)) == 0)
		at = syscall(SYS_mmap, NULL, sizeof(atomic_int),
		    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == -1)
		abort(); /* the fault would come once a process */
	(void)syscall(SYS_close, fd);
	return (atomic_int *)at;
}

__attribute__((constructor)) static void
start(void)
{
	const char *program = getenv("FAULT_PROGRAM");
	const char *kind = getenv("FAULT_CLASS");
	const char *at = getenv("FAULT_AT"), *error = getenv("FAULT_ERRNO");
	const char *count_file = getenv("FAULT_COUNT");
	const char *once = getenv("FAULT_ONCE");

	if (program == NULL ||
	    strcmp(program, program_invocation_short_name) != 0)
		return;
	fault.memory = kind != NULL && strcmp(kind, "mem") == 0;
	fault.at = at ? atol(at) : 0;
	fault.error = error ? atol(error) : 0;
	fault.count_fd = count_file != NULL ? open_high(count_file) : -1;
	fault.hits = once != NULL ? open_hits(once) : NULL;
	fault.active = true;
}

static void
note_count(void)
{
	char line[24];
	size_t i = sizeof(line);
	long left = fault.count;

	if (!fault.active || fault.count_fd == -1)
		return;
	line[--i] = '\n';
	do
		line[--i] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	(void)syscall(SYS_write, fault.count_fd, line + i, sizeof(line) - i);
}

__attribute__((destructor)) static void
finish(void)
{
	note_count();
	fault.active = false;
}

/* _exit runs no destructors, and daemons end with it. */
void
_exit(int status)
{
	finish();
	syscall(SYS_exit_group, status);
	__builtin_unreachable();
}

/* Counts this call; true if it is the one. */
static bool
is_hit(bool memory)
{
	if (!fault.active || memory != fault.memory)
		return false;
	fault.count++;
	if (fault.count == fault.at && fault.hits != NULL &&
	    atomic_fetch_add(fault.hits, 1) > 0)
		fault.at = 0; /* another process was faster */
	return fault.count == fault.at || fault.at == -1;
}

/* True if this call is to fail; errno is set. */
static bool
hit(bool memory)
{
	if (!is_hit(memory) || fault.error <= 0)
		return false;
	errno = (int)fault.error;
	return true;
}

/* The same for a call that can fail only with EINTR. */
static bool
hit_waiting(void)
{
	if (!is_hit(false) || fault.error != EINTR)
		return false;
	errno = EINTR;
	return true;
}

static void
after(bool memory)
{
	if (fault.active && memory == fault.memory && fault.at != 0 &&
	    (fault.count == fault.at || fault.at == -1) && fault.error == 0)
		(void)kill(getpid(), SIGKILL);
}

/* One byte if this call, which was just counted, is to be short. A packet or a
   directory cannot be. */
static size_t
shortened(int fd, size_t len)
{
	int type = SOCK_STREAM;
	socklen_t size = sizeof(type);

	if (!fault.active || fault.memory || fault.error != -1 || len == 0 ||
	    (fault.count != fault.at && fault.at != -1))
		return len;
	(void)syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size);
	return type == SOCK_STREAM ? 1 : len;
}

#define REAL(name)                                                             \
	static __typeof__(&name) real;                                         \
	if (real == NULL)                                                      \
	real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define WRAP_AS(type, failed, hits, name, parameters, arguments)               \
	type name parameters                                                   \
	{                                                                      \
		type result;                                                   \
		REAL(name);                                                    \
		if (hits)                                                      \
			return failed;                                         \
		result = real arguments;                                       \
		after(false);                                                  \
		return result;                                                 \
	}
#define WRAP(type, name, parameters, arguments)                                \
	WRAP_AS(type, (type)-1, hit(false), name, parameters, arguments)
/* returns NULL if it fails */
#define WRAP_POINTER(type, name, parameters, arguments)                        \
	WRAP_AS(type, NULL, hit(false), name, parameters, arguments)
/* waits, and can fail only because a signal came */
#define WRAP_WAITING(type, name, parameters, arguments)                        \
	WRAP_AS(type, (type)-1, hit_waiting(), name, parameters, arguments)
/* moves len bytes, or less */
#define WRAP_MOVING(name, parameters, arguments)                               \
	ssize_t name parameters                                                \
	{                                                                      \
		ssize_t result;                                                \
		REAL(name);                                                    \
		if (hit(false))                                                \
			return -1;                                             \
		len = shortened(fd, len);                                      \
		result = real arguments;                                       \
		after(false);                                                  \
		return result;                                                 \
	}
/* does not come back: if it is to be the last, it is not made */
#define WRAP_EXEC(name, parameters, arguments)                                 \
	int name parameters                                                    \
	{                                                                      \
		REAL(name);                                                    \
		if (hit(false))                                                \
			return -1;                                             \
		after(false);                                                  \
		note_count();                                                  \
		return real arguments;                                         \
	}

WRAP_MOVING(read, (int fd, void *buf, size_t len), (fd, buf, len))
WRAP_MOVING(write, (int fd, const void *buf, size_t len), (fd, buf, len))
WRAP_MOVING(
    pread, (int fd, void *buf, size_t len, off_t at), (fd, buf, len, at))
WRAP_MOVING(
    pwrite, (int fd, const void *buf, size_t len, off_t at), (fd, buf, len, at))
WRAP_MOVING(send, (int fd, const void *buf, size_t len, int flags),
    (fd, buf, len, flags))
WRAP_MOVING(
    recv, (int fd, void *buf, size_t len, int flags), (fd, buf, len, flags))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags),
    (fd, msg, flags))
WRAP(
    ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))

int
posix_fadvise(int fd, off_t from, off_t len, int advice)
{
	const char *path = getenv("FAULT_FORGET");
	struct stat st, forgotten;
	int disk;

	(void)from;
	(void)len;
	if (!fault.active || path == NULL || advice != POSIX_FADV_DONTNEED ||
	    fstat(fd, &st) == -1 || stat(path, &forgotten) == -1 ||
	    st.st_dev != forgotten.st_dev || st.st_ino != forgotten.st_ino)
		return 0;
	disk = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY, 0);
	for (off_t i = 0; i < st.st_size; i++) {
		if (syscall(SYS_write, disk, "", 1) != 1)
			abort();
	}
	(void)syscall(SYS_close, disk);
	return 0;
}

WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, renameat, (int in, const char *from, int out, const char *to),
    (in, from, out, to))
WRAP(int, link, (const char *from, const char *to), (from, to))
WRAP(int, symlink, (const char *from, const char *to), (from, to))
WRAP(ssize_t, readlink, (const char *path, char *buf, size_t len),
    (path, buf, len))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, unlinkat, (int in, const char *path, int flags), (in, path, flags))
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, truncate, (const char *path, off_t len), (path, len))
WRAP(int, ftruncate, (int fd, off_t len), (fd, len))
WRAP(int, flock, (int fd, int how), (fd, how))
WRAP(int, access, (const char *path, int mode), (path, mode))
WRAP(int, chdir, (const char *path), (path))
WRAP(int, fchdir, (int fd), (fd))
WRAP_POINTER(char *, getcwd, (char *buf, size_t len), (buf, len))
WRAP(int, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, stat, (const char *path, struct stat *st), (path, st))
WRAP(int, lstat, (const char *path, struct stat *st), (path, st))
WRAP(int, fstatat, (int in, const char *path, struct stat *st, int flags),
    (in, path, st, flags))
WRAP(int, fstatfs, (int fd, struct statfs *fs), (fd, fs))
WRAP(int, statvfs, (const char *path, struct statvfs *fs), (path, fs))
WRAP(int, chmod, (const char *path, mode_t mode), (path, mode))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
WRAP(int, lchown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
WRAP(int, futimens, (int fd, const struct timespec times[2]), (fd, times))
WRAP(off_t, lseek, (int fd, off_t at, int whence), (fd, at, whence))
WRAP_POINTER(DIR *, opendir, (const char *path), (path))
WRAP_POINTER(DIR *, fdopendir, (int fd), (fd))
WRAP_POINTER(struct dirent *, readdir, (DIR * dir), (dir))
WRAP(int, dup2, (int from, int to), (from, to))
WRAP(int, pipe, (int ends[2]), (ends))
WRAP(int, poll, (struct pollfd * items, nfds_t count, int timeout),
    (items, count, timeout))
WRAP(int, getrlimit, (__rlimit_resource_t what, struct rlimit *limit),
    (what, limit))
WRAP(int, setrlimit, (__rlimit_resource_t what, const struct rlimit *limit),
    (what, limit))

WRAP(
    int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, bind, (int fd, const struct sockaddr *to, socklen_t len),
    (fd, to, len))
WRAP(int, connect, (int fd, const struct sockaddr *to, socklen_t len),
    (fd, to, len))
WRAP(int, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, accept, (int fd, struct sockaddr *from, socklen_t *len),
    (fd, from, len))
WRAP(int, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags),
    (fd, from, len, flags))
WRAP(int, socketpair, (int domain, int type, int protocol, int ends[2]),
    (domain, type, protocol, ends))
WRAP(int, shutdown, (int fd, int how), (fd, how))
WRAP(int, getsockopt,
    (int fd, int level, int name, void *value, socklen_t *len),
    (fd, level, name, value, len))
WRAP(int, setsockopt,
    (int fd, int level, int name, const void *value, socklen_t len),
    (fd, level, name, value, len))
WRAP(int, getsockname, (int fd, struct sockaddr *own, socklen_t *len),
    (fd, own, len))
WRAP(int, getpeername, (int fd, struct sockaddr *other, socklen_t *len),
    (fd, other, len))
WRAP(int, getifaddrs, (struct ifaddrs * *list), (list))
WRAP(int, gethostname, (char *name, size_t len), (name, len))
WRAP(int, res_ninit, (res_state state), (state))
WRAP(int, res_nsend,
    (res_state state, const unsigned char *query, int len,
	unsigned char *answer, int room),
    (state, query, len, answer, room))

WRAP(pid_t, fork, (void), ())
WRAP_WAITING(
    pid_t, waitpid, (pid_t pid, int *status, int how), (pid, status, how))
WRAP_WAITING(int, nanosleep,
    (const struct timespec *pause, struct timespec *left), (pause, left))
WRAP_EXEC(execv, (const char *path, char *const argv[]), (path, argv))
WRAP_EXEC(execvp, (const char *file, char *const argv[]), (file, argv))
WRAP_EXEC(execve, (const char *path, char *const argv[], char *const env[]),
    (path, argv, env))
WRAP(int, setuid, (uid_t uid), (uid))
WRAP(int, seteuid, (uid_t uid), (uid))
WRAP(int, setgid, (gid_t gid), (gid))
WRAP(int, setgroups, (size_t count, const gid_t *groups), (count, groups))
WRAP(int, initgroups, (const char *user, gid_t gid), (user, gid))
WRAP_POINTER(struct passwd *, getpwnam, (const char *name), (name))
WRAP_POINTER(struct passwd *, getpwuid, (uid_t uid), (uid))
WRAP_POINTER(struct group *, getgrnam, (const char *name), (name))

int
fcntl(int fd, int command, ...)
{
	va_list args;
	long result, value;

	va_start(args, command);
	value = va_arg(args, long);
	va_end(args);
	if (hit(false))
		return -1;
	result = syscall(SYS_fcntl, fd, command, value);
	after(false);
	return (int)result;
}

ssize_t
writev(int fd, const struct iovec *pieces, int count)
{
	struct iovec first = pieces[0];
	ssize_t result;
	REAL(writev);

	if (hit(false))
		return -1;
	if (shortened(fd, first.iov_len) < first.iov_len) {
		first.iov_len = 1;
		result = real(fd, &first, 1);
	} else {
		result = real(fd, pieces, count);
	}
	after(false);
	return result;
}

/* args holds the mode, if flags need one. */
static int
open_in(int in, const char *path, int flags, va_list args)
{
	int mode = (flags & O_CREAT) ? va_arg(args, int) : 0;
	int result;

	if (hit(false))
		return -1;
	result = (int)syscall(SYS_openat, in, path, flags, mode);
	after(false);
	return result;
}

int
openat(int in, const char *path, int flags, ...)
{
	va_list args;
	int result;

	va_start(args, flags);
	result = open_in(in, path, flags, args);
	va_end(args);
	return result;
}

int
open(const char *path, int flags, ...)
{
	va_list args;
	int result;

	va_start(args, flags);
	result = open_in(AT_FDCWD, path, flags, args);
	va_end(args);
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
