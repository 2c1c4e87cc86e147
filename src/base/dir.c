#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

int
dir_sync(const char *path)
{
	int fd = fd_open(path, O_RDONLY | O_DIRECTORY, 0);
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
	char first[4096]; /* most files are small: no more memory than that */

	for (;;) {
		bool small = to->len + sizeof(first) >= to->size;
		size_t room = small ? sizeof(first) : to->size - to->len - 1;
		ssize_t got;

		got = read(fd, small ? first : to->s + to->len, room);
		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (small && str_try_append(to, first, (size_t)got) == -1)
			return -1;
		if (!small) {
			to->len += (size_t)got;
			to->s[to->len] = '\0';
		}
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
	int fd = fd_open(path, O_RDONLY, 0);
	int result;

	if (fd == -1)
		return -1;
	result = file_read_fd(fd, max, to);
	fd_close(fd);
	return result;
}
