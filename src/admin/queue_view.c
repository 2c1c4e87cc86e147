#include "admin/queue_view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/queue_control.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/privilege.h"

struct id_list {
	uint64_t *ids;
	size_t count, room;
};

int
queue_view_open(void)
{
	int fd = open("queue", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd == -1)
		return -1;
	if (geteuid() == 0 &&
	    (fstat(fd, &st) == -1 ||
		privilege_drop(st.st_uid, st.st_gid) == -1)) {
		fd_close(fd);
		return -1;
	}
	queue_control_settle(); /* as the owner, whom qmail-queued lets in */
	return fd;
}

static int
add_id(struct id_list *list, uint64_t id)
{
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 1024 : list->room * 2;
		uint64_t *grown =
		    mem_try_resize(list->ids, room, sizeof(*grown));

		if (grown == NULL)
			return -1;
		list->ids = grown;
		list->room = room;
	}
	list->ids[list->count++] = id;
	return 0;
}

/* Adds what lies in env/SPLIT. */
static int
list_split(int queue_dir, unsigned split, struct id_list *list)
{
	const struct dirent *entry;
	char path[32];
	DIR *dir;
	int fd, error, result = 0;

	(void)snprintf(
	    path, sizeof(path), "%s/%u", queue_kind_name[QUEUE_ENV], split);
	fd = openat(
	    queue_dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1; /* nothing was put there */
	dir = fdopendir(fd);
	if (dir == NULL) {
		fd_close(fd);
		return -1;
	}
	while (result == 0) {
		uint64_t id;

		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			result = errno == 0 ? 0 : -1;
			break;
		}
		if (num_parse_u64(span_of(entry->d_name), &id) == 0)
			result = add_id(list, id);
	}
	error = errno;
	(void)closedir(dir); /* only read */
	errno = error;
	return result;
}

static int
compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

int
queue_view_list(int queue_dir, uint64_t **ids, size_t *count)
{
	struct id_list list = {0};

	for (unsigned split = 0; split < QUEUE_FILE_SPLIT; split++) {
		if (list_split(queue_dir, split, &list) == -1) {
			free(list.ids);
			return -1;
		}
	}
	if (list.count > 0)
		qsort(list.ids, list.count, sizeof(*list.ids), compare);
	*ids = list.ids;
	*count = list.count;
	return 0;
}

int
queue_view_read(int queue_dir, enum queue_kind kind, uint64_t id, size_t max,
    struct str *to)
{
	struct str path = STR_INIT;
	struct stat st;
	int fd, result = -1;

	str_clear(to);
	queue_file_path(&path, kind, id);
	fd = openat(
	    queue_dir, path.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	str_free(&path);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) == -1)
		goto done;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		goto done;
	}
	if (file_read_fd(fd, max, to) == 0)
		result = 1;
done:
	fd_close(fd);
	return result;
}

bool
queue_view_has(int queue_dir, enum queue_kind kind, uint64_t id)
{
	struct str path = STR_INIT;
	struct stat st;
	bool has;

	queue_file_path(&path, kind, id);
	has = fstatat(queue_dir, path.s, &st, AT_SYMLINK_NOFOLLOW) == 0;
	str_free(&path);
	return has;
}
