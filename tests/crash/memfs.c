#define _GNU_SOURCE 1
#include "memfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "oplog.h"

enum {
	FDS = 64,
	FD_FIRST = 5000,
	FD_RANDOM = FD_FIRST + FDS, /* /dev/urandom */
	SAID_MAX = 16 * 1024,
	NAME_BYTES = 256,
};

struct handle {
	struct node *node;
	size_t at;
	int flags;
};

struct listing {
	struct node *dir;
	size_t at;
	struct dirent entry;
};

static struct {
	bool active;
	struct node *root;
	memfs_sink sink;
	void *owner;
	struct handle handles[FDS];
	int open_count;
	char said[SAID_MAX];
	size_t said_len;
	uint64_t random;
} fs;

jmp_buf memfs_exit;
int memfs_exit_code;

/* ---- a run -------------------------------------------------------------- */

void
memfs_begin(struct node *root, memfs_sink sink, void *owner)
{
	memset(fs.handles, 0, sizeof(fs.handles));
	fs.open_count = 0;
	fs.said_len = 0;
	fs.said[0] = '\0';
	fs.root = root;
	fs.sink = sink;
	fs.owner = owner;
	fs.random = 88172645463325252ULL;
	fs.active = true;
}

int
memfs_end(void)
{
	fs.active = false;
	return fs.open_count;
}

const char *
memfs_said(void)
{
	return fs.said;
}

static void
tell(uint32_t type, const char *path, const char *path2, struct node *node,
    uint64_t off, const char *data, size_t len)
{
	struct op op = {.type = type,
	    .path = path,
	    .path2 = path2,
	    .data = data,
	    .len = len,
	    .ino = node ? node->ino : 0,
	    .off = off};

	if (fs.sink != NULL)
		fs.sink(fs.owner, &op);
}

static struct handle *
handle_of(int fd)
{
	struct handle *handle;

	if (fd < FD_FIRST || fd >= FD_FIRST + FDS)
		return NULL;
	handle = &fs.handles[fd - FD_FIRST];
	return handle->node == NULL ? NULL : handle;
}

static bool
is_ours(int fd)
{
	return fs.active && fd >= FD_FIRST && fd <= FD_RANDOM;
}

static int
fail_with(int error)
{
	errno = error;
	return -1;
}

/* ---- the calls ---------------------------------------------------------- */

#define REAL(type, name, parameters)                                           \
	type __real_##name parameters;                                         \
	type __wrap_##name parameters;                                         \
	type __wrap_##name parameters

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int
__wrap_open(const char *path, int flags, ...)
{
	const char *last;
	struct node *dir, *node;
	struct entry *entry;
	int mode = 0, slot = 0;

	if (flags & O_CREAT) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	if (!fs.active)
		return __real_open(path, flags, mode);
	if (strcmp(path, "/dev/urandom") == 0)
		return FD_RANDOM;
	while (slot < FDS && fs.handles[slot].node != NULL)
		slot++;
	if (slot == FDS)
		return fail_with(EMFILE);
	dir = node_parent(fs.root, path, &last);
	if (dir == NULL)
		return -1;
	entry = node_entry(dir, last, strlen(last));
	node = strcmp(path, ".") == 0 ? fs.root : entry ? entry->node : NULL;
	if (node == NULL && !(flags & O_CREAT))
		return fail_with(ENOENT);
	if (node != NULL && (flags & O_CREAT) && (flags & O_EXCL))
		return fail_with(EEXIST);
	if (node != NULL && node->is_dir && (flags & O_ACCMODE) != O_RDONLY)
		return fail_with(EISDIR);
	if (node != NULL && !node->is_dir && (flags & O_DIRECTORY))
		return fail_with(ENOTDIR);
	if (node == NULL) {
		node = node_new(false);
		node->blob = blob_new("", 0);
		node_add(dir, last, node);
		tell(OPLOG_CREATE, path, NULL, node, 0, NULL, 0);
	} else if (flags & O_TRUNC) {
		blob_own(&node->blob, 0);
		tell(OPLOG_TRUNCATE, NULL, NULL, node, 0, NULL, 0);
	}
	fs.handles[slot] = (struct handle){node, 0, flags};
	fs.open_count++;
	return FD_FIRST + slot;
}

int __real_openat(int dir, const char *path, int flags, ...);
int __wrap_openat(int dir, const char *path, int flags, ...);

int
__wrap_openat(int dir, const char *path, int flags, ...)
{
	int mode = 0;

	if (flags & O_CREAT) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, int);
		va_end(args);
	}
	return dir == AT_FDCWD ? __wrap_open(path, flags, mode)
			       : __real_openat(dir, path, flags, mode);
}

REAL(int, close, (int fd))
{
	if (!is_ours(fd))
		return __real_close(fd);
	if (fd == FD_RANDOM)
		return 0;
	if (handle_of(fd) == NULL)
		return fail_with(EBADF);
	handle_of(fd)->node = NULL;
	fs.open_count--;
	return 0;
}

REAL(ssize_t, read, (int fd, void *buf, size_t len))
{
	struct handle *handle;
	size_t left;

	if (!is_ours(fd))
		return __real_read(fd, buf, len);
	if (fd == FD_RANDOM) {
		for (size_t i = 0; i < len; i++) {
			fs.random ^= fs.random << 13;
			fs.random ^= fs.random >> 7;
			fs.random ^= fs.random << 17;
			((char *)buf)[i] = (char)fs.random;
		}
		return (ssize_t)len;
	}
	handle = handle_of(fd);
	if (handle == NULL || handle->node->is_dir)
		return fail_with(EBADF);
	left = handle->at < handle->node->blob->size
	    ? handle->node->blob->size - handle->at
	    : 0;
	if (len > left)
		len = left;
	memcpy(buf, handle->node->blob->data + handle->at, len);
	handle->at += len;
	return (ssize_t)len;
}

static ssize_t
write_to(struct node *node, const char *buf, size_t len, size_t at)
{
	size_t size = node->blob->size;

	blob_own(&node->blob, at + len > size ? at + len : size);
	memcpy(node->blob->data + at, buf, len);
	tell(OPLOG_WRITE, NULL, NULL, node, at, buf, len);
	return (ssize_t)len;
}

REAL(ssize_t, write, (int fd, const void *buf, size_t len))
{
	struct handle *handle;
	ssize_t put;

	if (fs.active && fd == 2) {
		size_t room = sizeof(fs.said) - 1 - fs.said_len;

		if (len < room)
			room = len;
		memcpy(fs.said + fs.said_len, buf, room);
		fs.said_len += room;
		fs.said[fs.said_len] = '\0';
		return (ssize_t)len;
	}
	if (!is_ours(fd))
		return __real_write(fd, buf, len);
	handle = handle_of(fd);
	if (handle == NULL || (handle->flags & O_ACCMODE) == O_RDONLY)
		return fail_with(EBADF);
	if (handle->flags & O_APPEND)
		handle->at = handle->node->blob->size;
	put = write_to(handle->node, buf, len, handle->at);
	handle->at += len;
	return put;
}

/* As one operation, which is what it is. */
REAL(ssize_t, writev, (int fd, const struct iovec *parts, int count))
{
	size_t len = 0;
	ssize_t put;
	char *all;

	if (!is_ours(fd))
		return __real_writev(fd, parts, count);
	for (int i = 0; i < count; i++)
		len += parts[i].iov_len;
	all = tree_need(malloc(len + 1));
	len = 0;
	for (int i = 0; i < count; i++) {
		if (parts[i].iov_len > 0)
			memcpy(all + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	put = __wrap_write(fd, all, len);
	free(all);
	return put;
}

REAL(ssize_t, pwrite, (int fd, const void *buf, size_t len, off_t at))
{
	struct handle *handle;

	if (!is_ours(fd))
		return __real_pwrite(fd, buf, len, at);
	handle = handle_of(fd);
	if (handle == NULL || (handle->flags & O_ACCMODE) == O_RDONLY)
		return fail_with(EBADF);
	return write_to(handle->node, buf, len, (size_t)at);
}

static int
sync_fd(int fd)
{
	struct handle *handle = handle_of(fd);

	if (handle == NULL)
		return fail_with(EBADF);
	tell(OPLOG_SYNC, NULL, NULL, handle->node, 0, NULL, 0);
	return 0;
}

/* there is no other memory than this disk */
REAL(int, posix_fadvise, (int fd, off_t from, off_t len, int advice))
{
	return is_ours(fd) ? 0 : __real_posix_fadvise(fd, from, len, advice);
}

REAL(int, fsync, (int fd))
{
	return is_ours(fd) ? sync_fd(fd) : __real_fsync(fd);
}

REAL(int, fdatasync, (int fd))
{
	return is_ours(fd) ? sync_fd(fd) : __real_fdatasync(fd);
}

static int
fill_stat(struct node *node, struct stat *st)
{
	if (node == NULL)
		return -1;
	memset(st, 0, sizeof(*st));
	st->st_ino = node->ino;
	st->st_mode = node->is_dir ? S_IFDIR | 0750 : S_IFREG | 0640;
	st->st_size = node->is_dir ? 0 : (off_t)node->blob->size;
	return 0;
}

REAL(int, fstat, (int fd, struct stat *st))
{
	struct handle *handle = handle_of(fd);

	if (!is_ours(fd))
		return __real_fstat(fd, st);
	return handle ? fill_stat(handle->node, st) : fail_with(EBADF);
}

REAL(int, lstat, (const char *path, struct stat *st))
{
	return fs.active ? fill_stat(node_find(fs.root, path), st)
			 : __real_lstat(path, st);
}

REAL(int, stat, (const char *path, struct stat *st))
{
	return fs.active ? fill_stat(node_find(fs.root, path), st)
			 : __real_stat(path, st);
}

REAL(int, statvfs, (const char *path, struct statvfs *st))
{
	if (!fs.active)
		return __real_statvfs(path, st);
	memset(st, 0, sizeof(*st));
	st->f_frsize = 4096;
	st->f_bavail = 1000000;
	return 0;
}

static int
remove_name(const char *path)
{
	const char *last;
	struct node *dir = node_parent(fs.root, path, &last);
	struct entry *entry;

	if (dir == NULL)
		return -1;
	entry = node_entry(dir, last, strlen(last));
	if (entry == NULL)
		return fail_with(ENOENT);
	if (entry->node->is_dir)
		return fail_with(EISDIR);
	*entry = dir->entries[--dir->count];
	return 0;
}

REAL(int, unlink, (const char *path))
{
	if (!fs.active)
		return __real_unlink(path);
	if (remove_name(path) == -1)
		return -1;
	tell(OPLOG_UNLINK, path, NULL, NULL, 0, NULL, 0);
	return 0;
}

static int
add_name(const char *path, struct node *node, bool replace)
{
	const char *last;
	struct node *dir = node_parent(fs.root, path, &last);
	struct entry *entry;

	if (dir == NULL)
		return -1;
	entry = node_entry(dir, last, strlen(last));
	if (entry != NULL && !replace)
		return fail_with(EEXIST);
	if (entry != NULL)
		entry->node = node;
	else
		node_add(dir, last, node);
	return 0;
}

REAL(int, rename, (const char *from, const char *to))
{
	struct node *node;

	if (!fs.active)
		return __real_rename(from, to);
	node = node_find(fs.root, from);
	if (node == NULL || add_name(to, node, true) == -1 ||
	    remove_name(from) == -1)
		return -1;
	tell(OPLOG_RENAME, from, to, NULL, 0, NULL, 0);
	return 0;
}

REAL(int, link, (const char *from, const char *to))
{
	struct node *node;

	if (!fs.active)
		return __real_link(from, to);
	node = node_find(fs.root, from);
	if (node == NULL || add_name(to, node, false) == -1)
		return -1;
	tell(OPLOG_LINK, from, to, NULL, 0, NULL, 0);
	return 0;
}

REAL(int, mkdir, (const char *path, mode_t mode))
{
	struct node *node;

	if (!fs.active)
		return __real_mkdir(path, mode);
	if (node_find(fs.root, path) != NULL)
		return fail_with(EEXIST);
	node = node_new(true);
	if (add_name(path, node, false) == -1)
		return -1;
	tell(OPLOG_MKDIR, path, NULL, node, 0, NULL, 0);
	return 0;
}

REAL(int, truncate, (const char *path, off_t len))
{
	struct node *node;

	if (!fs.active)
		return __real_truncate(path, len);
	node = node_find(fs.root, path);
	if (node == NULL)
		return -1;
	blob_own(&node->blob, (size_t)len);
	tell(OPLOG_TRUNCATE, NULL, NULL, node, (uint64_t)len, NULL, 0);
	return 0;
}

REAL(DIR *, opendir, (const char *path))
{
	struct listing *list;
	struct node *node;

	if (!fs.active)
		return __real_opendir(path);
	node = node_find(fs.root, path);
	if (node == NULL || !node->is_dir)
		return NULL;
	list = tree_need(calloc(1, sizeof(*list)));
	/* as it is now: what is removed meanwhile may come or not */
	list->dir = tree_take(sizeof(*list->dir));
	*list->dir = *node;
	list->dir->entries =
	    tree_take((node->count + 1) * sizeof(struct entry));
	if (node->count > 0)
		memcpy(list->dir->entries, node->entries,
		    node->count * sizeof(struct entry));
	return (DIR *)list;
}

REAL(struct dirent *, readdir, (DIR * dir))
{
	struct listing *list = (struct listing *)dir;
	struct entry *entry;

	if (!fs.active)
		return __real_readdir(dir);
	if (list->at == list->dir->count)
		return NULL;
	entry = &list->dir->entries[list->at++];
	(void)snprintf(list->entry.d_name, sizeof(list->entry.d_name), "%.*s",
	    NAME_BYTES - 1, entry->name);
	list->entry.d_ino = entry->node->ino;
	return &list->entry;
}

REAL(int, closedir, (DIR * dir))
{
	if (!fs.active)
		return __real_closedir(dir);
	free(dir);
	return 0;
}

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void
__wrap__exit(int status)
{
	if (!fs.active)
		__real__exit(status);
	memfs_exit_code = status;
	longjmp(memfs_exit, 1);
}
