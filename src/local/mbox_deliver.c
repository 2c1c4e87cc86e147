#include "local/mbox_deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/str.h"
#include "local/mbox_lock.h"
#include "local/mbox_quote.h"

int
mbox_write_message(int fd, struct span head, struct message *message)
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

/* Makes the name of the file durable: always, since who created it may have
   been killed before he did that. */
static int
sync_name(const char *path)
{
	if (dir_sync_parent(path) == 0)
		return 0;
	/* a directory that its user may not read, or a file system that cannot
	   sync one: nothing better is left than the sync of the file */
	return errno == EACCES || errno == EINVAL ? 0 : -1;
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
	if (mbox_write_message(fd, head, message) == 0 && fsync(fd) == 0 &&
	    sync_name(path) == 0)
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
	int fd, result = EXIT_OK;
	enum mbox_lock locked =
	    mbox_lock_open(path, O_WRONLY | O_APPEND | O_CREAT, &fd);

	switch (locked) {
	case MBOX_NO_FILE:
		return report_temp(report, "Unable to open %s: %s. (#4.2.1)",
		    quote(path), strerror(errno));
	case MBOX_NO_MBOX:
		return report_temp(
		    report, "%s is not a regular file. (#4.2.1)", quote(path));
	case MBOX_BUSY:
		return report_temp(report,
		    "Unable to lock %s: another program keeps it. (#4.3.0)",
		    quote(path));
	case MBOX_LOCKED:
	case MBOX_NO_LOCKS:
		break;
	}
	if (append(path, fd, locked == MBOX_LOCKED, head, message) == -1)
		result = report_temp(report, "Unable to write %s: %s. (#4.3.0)",
		    quote(path), strerror(errno));
	fd_close(fd); /* fsync has told all there is to tell */
	return result;
}
