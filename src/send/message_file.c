#include "send/message_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static int
open_file(int queue_dir, enum queue_kind kind, uint64_t id, off_t *size)
{
	struct str path = STR_INIT;
	struct stat st;
	int fd;

	queue_file_path(&path, kind, id);
	fd = openat(queue_dir, path.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	str_free(&path);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1) {
		fd_close(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		fd_close(fd);
		errno = EINVAL;
		return -1;
	}
	*size = st.st_size;
	return fd;
}

int
message_file_open_mess(int queue_dir, uint64_t id, uint64_t size_bytes)
{
	off_t size;
	int fd = open_file(queue_dir, QUEUE_MESS, id, &size);

	if (fd != -1 && (uint64_t)size != size_bytes) {
		fd_close(fd);
		errno = EBADMSG;
		return -1;
	}
	return fd;
}

/* As many bytes as there were when it was opened: what is added meanwhile is
   news for the next reading. */
static int
read_size(int fd, size_t size, struct str *to)
{
	if (str_try_reserve(to, size) == -1)
		return -1;
	while (to->len < size) {
		ssize_t got = read(fd, to->s + to->len, size - to->len);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0)
			break;
		to->len += (size_t)got;
	}
	if (to->size > 0)
		to->s[to->len] = '\0';
	return 0;
}

int
message_file_read(int queue_dir, enum queue_kind kind, uint64_t id, size_t max,
    struct str *to)
{
	off_t size;
	int fd = open_file(queue_dir, kind, id, &size);
	int result = -1;

	str_clear(to);
	if (fd == -1)
		return -1;
	if ((uint64_t)size > max)
		errno = EFBIG;
	else
		result = read_size(fd, (size_t)size, to);
	fd_close(fd);
	return result;
}
