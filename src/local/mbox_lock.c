#include "local/mbox_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/file.h> /* flock: not POSIX, but what mail readers use */
#include <sys/stat.h>
#include <sys/vfs.h> /* fstatfs: not POSIX, but nothing else tells of NFS */
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"

enum {
	LOCK_STEP_MAX_MS = 200,
	NFS_MAGIC = 0x6969,
};

static void
sleep_ms(long ms)
{
	struct timespec span = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&span, NULL); /* waking early does no harm */
}

/* There flock is made of the other kind of lock: we would wait for ourselves.
 */
static bool
is_on_nfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (long)fs.f_type == NFS_MAGIC;
}

static enum mbox_lock
try_flock(int fd)
{
	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK)
			return MBOX_BUSY;
		if (errno != EINTR)
			return MBOX_NO_LOCKS;
	}
	return MBOX_LOCKED;
}

enum mbox_lock
mbox_lock_try(int fd)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	enum mbox_lock result = try_flock(fd);

	if (result == MBOX_BUSY || is_on_nfs(fd))
		return result;
	if (fcntl(fd, F_SETLK, &all) == 0)
		return MBOX_LOCKED;
	if (errno != EAGAIN && errno != EACCES)
		return result;
	/* who has this one may want ours next: nobody keeps one and waits */
	(void)flock(fd, LOCK_UN);
	return MBOX_BUSY;
}

static enum mbox_lock
lock(int fd, int64_t end_ms)
{
	enum mbox_lock result;
	long step_ms = 1;

	while ((result = mbox_lock_try(fd)) == MBOX_BUSY) {
		if (clock_mono_ms() >= end_ms)
			break;
		sleep_ms(step_ms);
		if (step_ms < LOCK_STEP_MAX_MS)
			step_ms *= 2;
	}
	return result;
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
