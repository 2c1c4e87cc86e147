#include "admin/check_parts.h"

#include <errno.h>
#include <fcntl.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/pack.h"

int
check_file_read(const char *path, struct str *text, struct stat *st)
{
	/* O_NONBLOCK: a FIFO of that name must not hold us */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result = -1;

	str_clear(text);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, st) == -1)
		goto done;
	if (!S_ISREG(st->st_mode)) {
		errno = EINVAL;
		goto done;
	}
	if (file_read_fd(fd, CHECK_FILE_MAX, text) == 0)
		result = 1;
done:
	fd_close(fd);
	return result;
}

uint64_t
check_cdb_count(struct span file)
{
	enum {
		TABLES = 256,
		ENTRY = 8
	};
	uint64_t slots = 0;

	if (file.len < TABLES * ENTRY)
		return 0;
	for (size_t i = 0; i < TABLES; i++)
		slots += unpack_u32(file.s + i * ENTRY + 4);
	return slots / 2; /* half of a table is empty */
}

bool
check_is_newer(const struct stat *a, const struct stat *b)
{
	if (a->st_mtim.tv_sec != b->st_mtim.tv_sec)
		return a->st_mtim.tv_sec > b->st_mtim.tv_sec;
	return a->st_mtim.tv_nsec > b->st_mtim.tv_nsec;
}
