/*
 * clock - a clock of the day that can be set while programs run
 *
 * Preloaded into dynamically linked programs. CLOCK_STEP names a file with the
 * seconds, an int64_t, by which the clock is wrong; without it, it is right.
 * The monotonic clock stays as it is. The file is mapped at the start, since a
 * sandbox may let nobody open it later.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *wrong_by;

__attribute__((constructor)) static void
start(void)
{
	const char *path = getenv("CLOCK_STEP");
	void *mapped;
	int fd;

	if (path == NULL)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	mapped = mmap(NULL, sizeof(*wrong_by), PROT_READ, MAP_SHARED, fd, 0);
	if (fd == -1 || mapped == MAP_FAILED)
		abort();
	(void)syscall(SYS_close, fd);
	wrong_by = mapped;
}

static time_t
step(void)
{
	return wrong_by == NULL ? 0 : (time_t)*wrong_by;
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
