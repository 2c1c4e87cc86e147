/* accept4: outside POSIX, wanted only here */
#define _GNU_SOURCE 1
#include "base/fd.h"

#include <sys/socket.h>

int
fd_accept(int listener)
{
#if defined(SOCK_CLOEXEC) && !defined(__APPLE__)
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
#else
	int fd = accept(listener, NULL, NULL);

	if (fd != -1 && fd_cloexec(fd) == -1) {
		fd_close(fd);
		return -1;
	}
	return fd;
#endif
}
