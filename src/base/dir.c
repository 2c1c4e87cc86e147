#include "base/dir.h"

#include <errno.h>
#include <fcntl.h>
#if defined(__linux__)
#include <sys/ioctl.h>
#endif
#include <unistd.h>

#include "base/fd.h"

#if defined(__linux__)
#if defined(__GLIBC__)
#define REQUEST(number) (number)
#else
#define REQUEST(number) (int)(number) /* as POSIX has it */
#endif
/* linux/fs.h, which need not be there */
#define GET_ATTRIBUTES REQUEST(_IOR('f', 1, long))
#define SET_ATTRIBUTES REQUEST(_IOW('f', 2, long))
#define TOP_DIRECTORY 0x00020000
#endif

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

void
dir_spread(const char *path)
{
#if defined(__linux__)
	int fd = fd_open(path, O_RDONLY | O_DIRECTORY, 0);
	int flags = 0;

	if (fd == -1)
		return;
	if (ioctl(fd, GET_ATTRIBUTES, &flags) == 0) {
		flags |= TOP_DIRECTORY;
		(void)ioctl(fd, SET_ATTRIBUTES, &flags);
	}
	fd_close(fd);
#else
	(void)path;
#endif
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
