#include "local/mbox_deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h> /* flock: not POSIX, but what mail readers use */
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/str.h"
#include "local/mbox_quote.h"

enum {
	LOCK_STEP_MAX_MS = 200,
};

static void
sleep_ms(long ms)
{
	struct timespec span = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&span, NULL); /* waking early does no harm */
}

/* 1 locked, 0 this file system has no locks, -1 somebody else keeps it. */
static int
lock(int fd)
{
	int64_t end_ms = clock_mono_ms() + MBOX_LOCK_S * INT64_C(1000);
	long step_ms = 1;

	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return 0;
		if (clock_mono_ms() >= end_ms)
			return -1;
		sleep_ms(step_ms);
		if (step_ms < LOCK_STEP_MAX_MS)
			step_ms *= 2;
	}
	return 1;
}

static int
write_message(int fd, struct span head, struct message *message)
{
	struct mbox_quote quote = MBOX_QUOTE_INIT;
	struct str out = STR_INIT;
	struct span chunk;
	int got, result = -1;

	str_append_span(&out, head);
	message_rewind(message);
	while ((got = message_next(message, &chunk)) == 1) {
		mbox_quote_feed(&quote, chunk, &out);
		if (out.len < MESSAGE_CHUNK)
			continue;
		if (fd_write_all(fd, out.s, out.len) == -1)
			goto done;
		str_clear(&out);
	}
	if (got == -1)
		goto done;
	mbox_quote_end(&quote, &out);
	str_append_char(&out, '\n');
	result = fd_write_all(fd, out.s, out.len);
done:
	str_free(&out);
	return result;
}

/* Makes the name of a new file durable. */
static int
sync_name(const char *path)
{
	if (dir_sync_parent(path) == 0)
		return 0;
	/* a directory that its user may not read: nothing better is left than
	   the sync of the file */
	return errno == EACCES ? 0 : -1;
}

/* Writes under the lock. The file ends as it was unless this returns 0. */
static int
append(const char *path, int fd, bool is_locked, struct span head,
    struct message *message)
{
	struct stat st;
	int error;

	if (fstat(fd, &st) == -1)
		return -1;
	if (write_message(fd, head, message) == 0 && fsync(fd) == 0 &&
	    (st.st_size > 0 || sync_name(path) == 0))
		return 0;
	error = errno;
	/* without the lock somebody else's message may be behind ours */
	if (is_locked && ftruncate(fd, st.st_size) == 0)
		(void)fsync(fd); /* the delivery has failed already */
	errno = error;
	return -1;
}

int
mbox_deliver(const char *path, struct span head, struct message *message,
    struct report *report)
{
	struct stat st;
	int locked, result = EXIT_OK;
	/* O_NONBLOCK: a FIFO without a reader must not hold us */
	int fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
	    0600);

	if (fd == -1 || fstat(fd, &st) == -1) {
		result = report_temp(report, "Unable to open %s: %s. (#4.2.1)",
		    quote(path), strerror(errno));
		goto done;
	}
	if (!S_ISREG(st.st_mode)) {
		result = report_temp(
		    report, "%s is not a regular file. (#4.2.1)", quote(path));
		goto done;
	}
	locked = lock(fd);
	if (locked == -1) {
		result = report_temp(report,
		    "Unable to lock %s: another program keeps it. (#4.3.0)",
		    quote(path));
		goto done;
	}
	if (append(path, fd, locked == 1, head, message) == -1) {
		result = report_temp(report, "Unable to write %s: %s. (#4.3.0)",
		    quote(path), strerror(errno));
		goto done;
	}
done:
	fd_close(fd); /* fsync has told all there is to tell */
	return result;
}
