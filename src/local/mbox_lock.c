#include "local/mbox_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/file.h> /* flock: not POSIX, but what mail readers use */
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"

enum {
	LOCK_STEP_MAX_MS = 200,
};

static void
sleep_ms(long ms)
{
	struct timespec span = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&span, NULL); /* waking early does no harm */
}

static enum mbox_lock
lock(int fd, int64_t end_ms)
{
	long step_ms = 1;

	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return MBOX_NO_LOCKS;
		if (clock_mono_ms() >= end_ms)
			return MBOX_BUSY;
		sleep_ms(step_ms);
		if (step_ms < LOCK_STEP_MAX_MS)
			step_ms *= 2;
	}
	return MBOX_LOCKED;
}

static bool
is_still(const char *path, const struct stat *ours)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == ours->st_dev &&
	    st.st_ino == ours->st_ino;
}

enum mbox_lock
mbox_lock_open(const char *path, int flags, int *fd)
{
	int64_t end_ms = clock_mono_ms() + MBOX_LOCK_S * INT64_C(1000);
	enum mbox_lock result;
	struct stat st;

	for (;;) {
		/* O_NONBLOCK: a FIFO without a reader must not hold us */
		*fd =
		    open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
		if (*fd == -1)
			return MBOX_NO_FILE;
		if (fstat(*fd, &st) == -1) {
			result = MBOX_NO_FILE;
			break;
		}
		if (!S_ISREG(st.st_mode)) {
			result = MBOX_NO_MBOX;
			break;
		}
		result = lock(*fd, end_ms);
		if (result == MBOX_BUSY)
			break;
		if (is_still(path, &st))
			return result;
		/* its name went to another file while we waited */
		fd_close(*fd);
		if (clock_mono_ms() >= end_ms)
			return MBOX_BUSY;
	}
	fd_close(*fd); /* keeps errno */
	*fd = -1;
	return result;
}
