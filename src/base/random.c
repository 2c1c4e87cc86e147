#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"

int
random_fill(void *to, size_t len)
{
	int fd = fd_open("/dev/urandom", O_RDONLY, 0);
	char *bytes = to;

	if (fd == -1)
		return -1;
	while (len > 0) {
		ssize_t got = read(fd, bytes, len);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == 0)
			errno = EIO;
		if (got <= 0)
			break;
		bytes += got;
		len -= (size_t)got;
	}
	fd_close(fd); /* keeps errno */
	return len == 0 ? 0 : -1;
}
