#include "queue/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"

enum {
	RESERVE_BYTES = 8 * 1024 * 1024, /* kept so that deliveries go on */
	RESERVE_INODES = 256,
	PARTS_MAX = 8,
	FILE_MODE = 0640,
	DIRECTORY_MODE = 0750,
};

#define SCRATCH "tmp/scratch" /* of store_replace; one at a time */

/* ---- directories -------------------------------------------------------- */

static int
ensure_directory(const char *path)
{
	struct stat st;

	if (mkdir(path, DIRECTORY_MODE) == 0)
		return 0;
	if (errno != EEXIST || lstat(path, &st) == -1)
		return -1;
	if (S_ISDIR(st.st_mode))
		return 0;
	errno = ENOTDIR;
	return -1;
}

int
store_make_directories(struct str *failed)
{
	static const char *const single[] = {"tmp", "journal", "damaged"};

	for (size_t i = 0; i < COUNT(single); i++) {
		str_format(failed, "%s", single[i]);
		if (ensure_directory(failed->s) == -1)
			return -1;
	}
	/* What is there may have been made by a start that was killed before
	   its syncs: a name that can be seen need not be on the disk. */
	for (int kind = 0; kind < QUEUE_KINDS; kind++) {
		str_format(failed, "%s", queue_kind_name[kind]);
		if (ensure_directory(failed->s) == -1)
			return -1;
		/* ext4 without a journal walks over the files that were removed
		   from a group of directories within a minute whenever one is
		   made there */
		dir_spread(failed->s);
		for (int split = 0; split < QUEUE_FILE_SPLIT; split++) {
			str_format(
			    failed, "%s/%d", queue_kind_name[kind], split);
			if (ensure_directory(failed->s) == -1)
				return -1;
		}
		str_format(failed, "%s", queue_kind_name[kind]);
		if (dir_sync(failed->s) == -1)
			return -1;
	}
	str_format(failed, ".");
	return dir_sync(".");
}

/* ---- files -------------------------------------------------------------- */

/* Drops written bytes from the front of parts. */
static void
advance(struct iovec *parts, int count, size_t written)
{
	for (int i = 0; i < count && written > 0; i++) {
		size_t part =
		    written < parts[i].iov_len ? written : parts[i].iov_len;

		parts[i].iov_base = (char *)parts[i].iov_base + part;
		parts[i].iov_len -= part;
		written -= part;
	}
}

int
store_write_parts(int fd, const struct span *parts, size_t count)
{
	struct iovec vector[PARTS_MAX];
	size_t left = 0;

	assert(count <= PARTS_MAX);
	for (size_t i = 0; i < count; i++) {
		vector[i].iov_base = (void *)(uintptr_t)parts[i].s;
		vector[i].iov_len = parts[i].len;
		left += parts[i].len;
	}
	while (left > 0) {
		ssize_t put = writev(fd, vector, (int)count);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return -1;
		advance(vector, (int)count, (size_t)put);
		left -= (size_t)put;
	}
	return 0;
}

/* Writes a new file and closes it; on failure it is removed. */
static int
write_new(const char *path, int flags, const struct span *parts, size_t count)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, FILE_MODE);
	int result, error;

	if (fd == -1)
		return -1;
	result = store_write_parts(fd, parts, count);
	error = errno;
	if (close(fd) == -1 && result == 0) {
		result = -1;
		error = errno;
	}
	if (result == -1) {
		(void)unlink(path); /* recovery removes it too */
		errno = error;
	}
	return result;
}

int
store_create(
    enum queue_kind kind, uint64_t id, const struct span *parts, size_t count)
{
	struct str path = STR_INIT;
	int result;

	queue_file_path(&path, kind, id);
	result = write_new(path.s, O_EXCL, parts, count);
	str_free(&path);
	return result;
}

int
store_replace(
    enum queue_kind kind, uint64_t id, const struct span *parts, size_t count)
{
	struct str path = STR_INIT;
	int result;

	queue_file_path(&path, kind, id);
	result = write_new(SCRATCH, O_TRUNC, parts, count);
	if (result == 0)
		result = rename(SCRATCH, path.s);
	str_free(&path);
	return result;
}

int
store_read(enum queue_kind kind, uint64_t id, size_t max, struct str *to)
{
	struct str path = STR_INIT;
	int result;

	queue_file_path(&path, kind, id);
	do
		result = file_read(path.s, max, to);
	while (result == -1 && errno == EINTR);
	str_free(&path);
	return result;
}

int
store_remove(enum queue_kind kind, uint64_t id)
{
	struct str path = STR_INIT;
	int result;

	queue_file_path(&path, kind, id);
	result = unlink(path.s);
	if (result == -1 && errno == ENOENT)
		result = 0;
	str_free(&path);
	return result;
}

void
store_discard(enum queue_kind kind, uint64_t id)
{
	int error = errno;

	if (store_remove(kind, id) == -1)
		errno = error;
	errno = error;
}

int
store_remove_plain(uint64_t id)
{
	/* env last: a message that still has its envelope is seen as one */
	if (store_remove(QUEUE_MESS, id) == -1)
		return -1;
	return store_remove(QUEUE_ENV, id);
}

int
store_remove_all(uint64_t id)
{
	if (store_remove(QUEUE_DONE, id) == -1 ||
	    store_remove(QUEUE_BOUNCE, id) == -1)
		return -1;
	return store_remove_plain(id);
}

int
store_has(enum queue_kind kind, uint64_t id)
{
	struct str path = STR_INIT;
	struct stat st;
	int result;

	queue_file_path(&path, kind, id);
	result = lstat(path.s, &st) == 0 ? 1 : -1;
	if (result == -1 && errno == ENOENT)
		result = 0;
	str_free(&path);
	return result;
}

int
store_sync_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int result;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	result = fsync(fd);
	fd_close(fd);
	return result == -1 ? -1 : 1;
}

/* ---- tmp ---------------------------------------------------------------- */

void
store_tmp_path(struct str *path, uint64_t number, bool env)
{
	str_clear(path);
	str_append_cstr(path, "tmp/");
	str_append_u64(path, number);
	if (env)
		str_append_cstr(path, ".env");
}

int
store_tmp_create(uint64_t number, bool env)
{
	struct str path = STR_INIT;
	int fd;

	store_tmp_path(&path, number, env);
	fd = open(path.s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	str_free(&path);
	return fd;
}

void
store_tmp_remove(uint64_t number, bool env)
{
	struct str path = STR_INIT;

	store_tmp_path(&path, number, env);
	(void)unlink(path.s); /* recovery removes it too */
	str_free(&path);
}

int
store_tmp_keep(uint64_t number, bool env, enum queue_kind kind, uint64_t id)
{
	struct str from = STR_INIT, to = STR_INIT;
	int result;

	store_tmp_path(&from, number, env);
	queue_file_path(&to, kind, id);
	result = rename(from.s, to.s);
	str_free(&from);
	str_free(&to);
	return result;
}

static int
write_at(int fd, struct span bytes, off_t at)
{
	while (bytes.len > 0) {
		ssize_t put = pwrite(fd, bytes.s, bytes.len, at);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return -1;
		bytes = span_from(bytes, (size_t)put);
		at += put;
	}
	return 0;
}

int
store_patch(const char *path, struct span head, struct span tail)
{
	struct stat st;
	int fd, result = -1;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0) {
		if ((uint64_t)st.st_size < head.len + tail.len)
			errno = EINVAL;
		else if (write_at(fd, head, 0) == 0 &&
		    write_at(fd, tail, st.st_size - (off_t)tail.len) == 0)
			result = 0;
	}
	if (close(fd) == -1)
		result = -1;
	return result;
}

/* ---- trouble ------------------------------------------------------------ */

int
store_set_aside(const char *path)
{
	struct str to = STR_INIT;
	struct stat st;
	int result;

	str_append_cstr(&to, "damaged/");
	for (const char *c = path; *c != '\0'; c++)
		str_append_char(&to, *c == '/' ? '.' : *c);
	while (lstat(to.s, &st) == 0)
		str_append_char(&to, '+');
	result = rename(path, to.s);
	if (result == 0)
		warn_plain("queue/%s is damaged; moved to queue/%s",
		    quote(path), quote(to.s));
	str_free(&to);
	return result;
}

bool
store_is_full(void)
{
	struct statvfs fs;

	if (statvfs(".", &fs) == -1)
		return false; /* a write will tell */
	/* f_files is 0 where inodes are made as they are needed */
	if (fs.f_files != 0 && fs.f_favail < RESERVE_INODES)
		return true;
	return fs.f_bavail < RESERVE_BYTES / (fs.f_frsize ? fs.f_frsize : 1);
}
