/*
 * record - writes down what programs do to the files under one directory
 *
 * Preloaded into dynamically linked programs. Environment:
 *   RECORD_LOG   the file for it (oplog.h), made and sized by whoever starts it
 *   RECORD_ROOT  the directory; what lies elsewhere is not recorded
 *   RECORD_KILL  "PROGRAM N": that program gets SIGKILL behind its nth
 * operation; "PROGRAM @NAME": behind the first that makes this name Each
 * operation and its entry are one step, under a lock that all processes share;
 * so the log is the order in which the kernel saw them. What a program tells
 * its clients is in it too.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "oplog.h"

enum {
	FDS = 1024,
	SAID_MAX = 128 * 1024, /* bytes of a packet */
};

static struct {
	struct oplog_head *head;
	size_t bytes; /* of the file */
	char root[PATH_MAX];
	size_t root_len;
	long kill_at, count;
	const char *kill_name;
	bool dying;
	bool inside[FDS]; /* descriptors of files under root */
} record;

#define REAL(name)                                                             \
	static __typeof__(&name) real;                                         \
	if (real == NULL)                                                      \
	real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* ---- the log ------------------------------------------------------------ */

static void
lock(void)
{
	int zero = 0;

	if (record.head == NULL)
		return;
	while (!atomic_compare_exchange_weak(&record.head->lock, &zero, 1)) {
		zero = 0;
		(void)sched_yield();
	}
}

/* The kill comes when the log is whole and others can go on. */
static void
unlock(void)
{
	bool die = record.dying ||
	    (record.kill_at != 0 && record.count >= record.kill_at);
	int error = errno;

	if (record.head != NULL)
		atomic_store(&record.head->lock, 0);
	if (die)
		(void)kill(getpid(), SIGKILL);
	errno = error;
}

static void
add(uint32_t type, const char *path, const char *path2, uint64_t ino,
    uint64_t off, const struct iovec *parts, int part_count, size_t len)
{
	struct oplog_op op = {.type = type,
	    .pid = (uint32_t)getpid(),
	    .path_len = path ? (uint32_t)strlen(path) : 0,
	    .path2_len = path2 ? (uint32_t)strlen(path2) : 0,
	    .data_len = (uint32_t)len,
	    .ino = ino,
	    .off = off};
	size_t size = sizeof(op) + op.path_len + op.path2_len + len;
	char *to;

	size = (size + 7) & ~(size_t)7;
	if (sizeof(*record.head) + record.head->used + size > record.bytes)
		abort(); /* a log that lacks something is worth nothing */
	to = (char *)(record.head + 1) + record.head->used;
	op.size = (uint32_t)size;
	memcpy(to, &op, sizeof(op));
	to += sizeof(op);
	if (path != NULL)
		memcpy(to, path, op.path_len);
	to += op.path_len;
	if (path2 != NULL)
		memcpy(to, path2, op.path2_len);
	to += op.path2_len;
	for (int i = 0; i < part_count && len > 0; i++) {
		size_t part = parts[i].iov_len < len ? parts[i].iov_len : len;

		memcpy(to, parts[i].iov_base, part);
		to += part;
		len -= part;
	}
	record.head->used += size;
	record.head->count++;
	if (type != OPLOG_OPEN)
		record.count++;
	if (record.kill_name == NULL)
		return;
	if (type == OPLOG_RENAME)
		record.dying = strcmp(record.kill_name, path2) == 0;
	else if (type == OPLOG_CREATE || type == OPLOG_MKDIR)
		record.dying = strcmp(record.kill_name, path) == 0;
}

/*
 * Our own questions are asked of the kernel directly: another library may be
 * preloaded that makes calls fail.
 */

/* The part of path behind root, "." for root itself; NULL if it lies elsewhere.
   Room for two results. */
static const char *
inside(const char *path)
{
	static char full[2][PATH_MAX * 2];
	static int turn;
	char *to = full[turn++ % 2];

	if (record.head == NULL)
		return NULL;
	if (path[0] == '/') {
		(void)snprintf(to, sizeof(full[0]), "%s", path);
	} else {
		char cwd[PATH_MAX];

		if (syscall(SYS_getcwd, cwd, sizeof(cwd)) <= 0)
			return NULL;
		while (strncmp(path, "./", 2) == 0)
			path += 2;
		(void)snprintf(to, sizeof(full[0]), "%s/%s", cwd, path);
	}
	if (strncmp(to, record.root, record.root_len) != 0)
		return NULL;
	to += record.root_len;
	if (*to != '/' && *to != '\0')
		return NULL;
	while (*to == '/')
		to++;
	if (strncmp(to, "../", 3) == 0)
		return NULL;
	return *to == '\0' || strcmp(to, ".") == 0 ? "." : to;
}

/* False if there is no such file. */
static bool
look(int fd, const char *path, struct statx *st)
{
	int flags = AT_SYMLINK_NOFOLLOW | (path[0] ? 0 : AT_EMPTY_PATH);

	return syscall(SYS_statx, fd, path, flags, STATX_BASIC_STATS, st) == 0;
}

static uint64_t
ino_of(int fd)
{
	struct statx st;

	return look(fd, "", &st) ? st.stx_ino : 0;
}

static bool
is_inside(int fd)
{
	return record.head != NULL && fd >= 0 && fd < FDS && record.inside[fd];
}

static void
finish(int status, void *unused)
{
	(void)unused;
	if (record.head == NULL)
		return;
	lock();
	add(OPLOG_EXIT, NULL, NULL, 0, (uint64_t)status, NULL, 0, 0);
	unlock();
	record.head = NULL;
}

static void
set_kill(const char *when)
{
	if (when[0] == '@')
		record.kill_name = when + 1;
	else
		record.kill_at = atol(when);
}

__attribute__((constructor)) static void
start(void)
{
	const char *log = getenv("RECORD_LOG"), *root = getenv("RECORD_ROOT");
	const char *killed = getenv("RECORD_KILL");
	struct statx st;
	int fd;

	if (log == NULL || root == NULL || realpath(root, record.root) == NULL)
		return;
	record.root_len = strlen(record.root);
	fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_RDWR | O_CLOEXEC, 0);
	if (fd == -1 || !look(fd, "", &st))
		abort();
	record.bytes = (size_t)st.stx_size;
	record.head = (void *)syscall(SYS_mmap, NULL, record.bytes,
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (record.head == MAP_FAILED)
		abort();
	(void)syscall(SYS_close, fd);
	if (killed != NULL) {
		const char *space = strchr(killed, ' ');
		size_t len = space ? (size_t)(space - killed) : 0;

		if (space != NULL &&
		    strlen(program_invocation_short_name) == len &&
		    strncmp(killed, program_invocation_short_name, len) == 0)
			set_kill(space + 1);
	}
	(void)on_exit(finish, NULL);
}

void
_exit(int status)
{
	REAL(_exit);

	finish(status, NULL);
	real(status);
	__builtin_unreachable();
}

/* ---- files -------------------------------------------------------------- */

int
open(const char *path, int flags, ...)
{
	const char *name = inside(path);
	struct statx st;
	int fd, mode = 0;
	bool there;
	REAL(open);

	if (flags & O_CREAT) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	if (name == NULL)
		return real(path, flags, mode);
	lock();
	there = look(AT_FDCWD, path, &st);
	fd = real(path, flags, mode);
	if (fd >= 0 && fd < FDS) {
		record.inside[fd] = true;
		add(there ? OPLOG_OPEN : OPLOG_CREATE, name, NULL, ino_of(fd),
		    0, NULL, 0, 0);
		if (there && (flags & O_TRUNC))
			add(OPLOG_TRUNCATE, NULL, NULL, ino_of(fd), 0, NULL, 0,
			    0);
	}
	unlock();
	return fd;
}

/* Paths relative to a directory are only read by those whom we watch. */
int
openat(int dir, const char *path, int flags, ...)
{
	int mode = 0;
	REAL(openat);

	if (flags & O_CREAT) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	return dir == AT_FDCWD ? open(path, flags, mode)
			       : real(dir, path, flags, mode);
}

int
close(int fd)
{
	REAL(close);

	if (fd >= 0 && fd < FDS)
		record.inside[fd] = false;
	return real(fd);
}

/* Where the next write goes. */
static uint64_t
position(int fd)
{
	struct statx st;
	int flags = (int)syscall(SYS_fcntl, fd, F_GETFL);

	if (flags != -1 && (flags & O_APPEND) && look(fd, "", &st))
		return st.stx_size;
	return (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
}

ssize_t
write(int fd, const void *buf, size_t len)
{
	struct iovec part = {(void *)(uintptr_t)buf, len};
	uint64_t at;
	ssize_t put;
	REAL(write);

	if (!is_inside(fd))
		return real(fd, buf, len);
	lock();
	at = position(fd);
	put = real(fd, buf, len);
	if (put > 0)
		add(OPLOG_WRITE, NULL, NULL, ino_of(fd), at, &part, 1,
		    (size_t)put);
	unlock();
	return put;
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
	uint64_t at;
	ssize_t put;
	REAL(writev);

	if (!is_inside(fd))
		return real(fd, parts, count);
	lock();
	at = position(fd);
	put = real(fd, parts, count);
	if (put > 0)
		add(OPLOG_WRITE, NULL, NULL, ino_of(fd), at, parts, count,
		    (size_t)put);
	unlock();
	return put;
}

ssize_t
pwrite(int fd, const void *buf, size_t len, off_t at)
{
	struct iovec part = {(void *)(uintptr_t)buf, len};
	ssize_t put;
	REAL(pwrite);

	if (!is_inside(fd))
		return real(fd, buf, len, at);
	lock();
	put = real(fd, buf, len, at);
	if (put > 0)
		add(OPLOG_WRITE, NULL, NULL, ino_of(fd), (uint64_t)at, &part, 1,
		    (size_t)put);
	unlock();
	return put;
}

int
ftruncate(int fd, off_t len)
{
	int result;
	REAL(ftruncate);

	if (!is_inside(fd))
		return real(fd, len);
	lock();
	result = real(fd, len);
	if (result == 0)
		add(OPLOG_TRUNCATE, NULL, NULL, ino_of(fd), (uint64_t)len, NULL,
		    0, 0);
	unlock();
	return result;
}

int
truncate(const char *path, off_t len)
{
	struct statx st;
	int result;
	REAL(truncate);

	if (inside(path) == NULL)
		return real(path, len);
	lock();
	result = real(path, len);
	if (result == 0 && look(AT_FDCWD, path, &st))
		add(OPLOG_TRUNCATE, NULL, NULL, st.stx_ino, (uint64_t)len, NULL,
		    0, 0);
	unlock();
	return result;
}

#define SYNC(name)                                                             \
	int name(int fd)                                                       \
	{                                                                      \
		int result;                                                    \
		REAL(name);                                                    \
		if (!is_inside(fd))                                            \
			return real(fd);                                       \
		lock();                                                        \
		result = real(fd);                                             \
		if (result == 0)                                               \
			add(OPLOG_SYNC, NULL, NULL, ino_of(fd), 0, NULL, 0,    \
			    0);                                                \
		unlock();                                                      \
		return result;                                                 \
	}
SYNC(fsync)
SYNC(fdatasync)

/* Nobody uses it; if somebody does, the model has to learn it. */
int
posix_fallocate(int fd, off_t at, off_t len)
{
	REAL(posix_fallocate);

	if (is_inside(fd))
		abort();
	return real(fd, at, len);
}

/* ---- names -------------------------------------------------------------- */

int
mkdir(const char *path, mode_t mode)
{
	const char *name = inside(path);
	struct statx st;
	int result;
	REAL(mkdir);

	if (name == NULL)
		return real(path, mode);
	lock();
	result = real(path, mode);
	if (result == 0 && look(AT_FDCWD, path, &st))
		add(OPLOG_MKDIR, name, NULL, st.stx_ino, 0, NULL, 0, 0);
	unlock();
	return result;
}

static void
add_names(int result, uint32_t type, const char *from, const char *to)
{
	if (result == 0)
		add(type, from, to, 0, 0, NULL, 0, 0);
}

#define TWO_NAMES(call, type)                                                  \
	int call(const char *from, const char *to)                             \
	{                                                                      \
		const char *a = inside(from), *b = inside(to);                 \
		int result;                                                    \
		REAL(call);                                                    \
		if (a == NULL && b == NULL)                                    \
			return real(from, to);                                 \
		if (a == NULL || b == NULL)                                    \
			abort();                                               \
		lock();                                                        \
		result = real(from, to);                                       \
		add_names(result, type, a, b);                                 \
		unlock();                                                      \
		return result;                                                 \
	}
TWO_NAMES(rename, OPLOG_RENAME)
TWO_NAMES(link, OPLOG_LINK)

int
unlink(const char *path)
{
	const char *name = inside(path);
	int result;
	REAL(unlink);

	if (name == NULL)
		return real(path);
	lock();
	result = real(path);
	add_names(result, OPLOG_UNLINK, name, NULL);
	unlock();
	return result;
}

/* ---- what is said ------------------------------------------------------- */

/* Said before it is sent: nobody can know it earlier. */
static void
note(uint32_t type, int fd, const struct iovec *parts, int count, size_t len)
{
	if (record.head == NULL || len == 0)
		return;
	lock();
	add(type, NULL, NULL, 0, (uint64_t)fd, parts, count,
	    len < SAID_MAX ? len : SAID_MAX);
	unlock();
}

ssize_t
send(int fd, const void *buf, size_t len, int flags)
{
	struct iovec part = {(void *)(uintptr_t)buf, len};
	REAL(send);

	note(OPLOG_SAY, fd, &part, 1, len);
	return real(fd, buf, len, flags);
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	REAL(sendmsg);

	note(OPLOG_SAY, fd, msg->msg_iov, 1, msg->msg_iov[0].iov_len);
	return real(fd, msg, flags);
}

ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
	ssize_t got;
	REAL(recvmsg);

	got = real(fd, msg, flags);
	if (got > 0)
		note(OPLOG_HEAR, fd, msg->msg_iov, 1, (size_t)got);
	return got;
}
