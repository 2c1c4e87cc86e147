#include "accept/linger.h"

#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"

void
linger(char *buf, size_t size)
{
	int64_t end = clock_mono_ms() + LINGER_MS, left;

	if (shutdown(1, SHUT_WR) == -1)
		return; /* not a socket, or the client is gone */
	while ((left = end - clock_mono_ms()) > 0) {
		if (fd_wait_readable(0, (int)left) != 1)
			return;
		if (recv(0, buf, size, MSG_DONTWAIT) <= 0)
			return;
	}
}
