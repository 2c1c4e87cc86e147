/*
 * clock - a clock of the day that can be set while programs run
 *
 * Preloaded into dynamically linked programs. CLOCK_STEP names a file with the
 * seconds, in decimal, by which the clock is wrong; without it, it is right.
 * The monotonic clock stays as it is.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long
step(void)
{
	const char *path = getenv("CLOCK_STEP");
	char text[24] = "";
	int fd;

	if (path == NULL)
		return 0;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return 0;
	if (syscall(SYS_read, fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	(void)syscall(SYS_close, fd);
	return atol(text);
}

int
clock_gettime(clockid_t which, struct timespec *now)
{
	int result = (int)syscall(SYS_clock_gettime, which, now);

	if (result == 0 && which == CLOCK_REALTIME)
		now->tv_sec += step();
	return result;
}

time_t
time(time_t *where)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) == -1)
		return (time_t)-1;
	if (where != NULL)
		*where = now.tv_sec;
	return now.tv_sec;
}
