#include "send/message_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/dir.h"
#include "base/fd.h"

int
message_file_open(int queue_dir, enum queue_kind kind, uint64_t id)
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
	return fd;
}

int
message_file_read(int queue_dir, enum queue_kind kind, uint64_t id, size_t max,
    struct str *to)
{
	int fd = message_file_open(queue_dir, kind, id);
	int result;

	str_clear(to);
	if (fd == -1)
		return -1;
	result = file_read_fd(fd, max, to);
	fd_close(fd);
	return result;
}
