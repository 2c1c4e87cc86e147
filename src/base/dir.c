#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

int
dir_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (fd == -1)
		return -1;
	result = fsync(fd);
	fd_close(fd);
	return result;
}

int
dir_sync_parent(const char *path)
{
	struct str parent = STR_INIT;
	struct span whole = span_of(path);
	size_t slash;
	int result;

	while (whole.len > 1 && whole.s[whole.len - 1] == '/')
		whole.len--;
	slash = span_find_last(whole, '/');
	if (slash == SPAN_NONE)
		str_append_char(&parent, '.');
	else
		str_append(&parent, path, slash ? slash : 1);
	result = dir_sync(parent.s);
	str_free(&parent);
	return result;
}

int
file_read_fd(int fd, size_t max, struct str *to)
{
	size_t start = to->len;

	for (;;) {
		size_t room = 4096;
		ssize_t got;

		if (to->size > to->len + 1 + room)
			room = to->size - to->len - 1;
		if (str_try_reserve(to, room) == -1)
			return -1;
		got = read(fd, to->s + to->len, room);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		to->len += (size_t)got;
		to->s[to->len] = '\0';
		if (to->len - start > max) {
			errno = EFBIG;
			return -1;
		}
		if (got == 0)
			return 0;
	}
}

int
file_read(const char *path, size_t max, struct str *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (fd == -1)
		return -1;
	result = file_read_fd(fd, max, to);
	fd_close(fd);
	return result;
}
