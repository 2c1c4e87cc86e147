#include "queue/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "mail/queue_file.h"
#include "queue/store.h"

enum {
	BOUNCE_MAX = 1 << 30, /* bytes of a bounce file that is read */
};

int
changes_count_recipients(uint64_t id, size_t *recipients)
{
	struct queue_envelope envelope;
	struct str env = STR_INIT;
	int result;

	result = store_read(QUEUE_ENV, id, STORE_ENV_MAX, &env);
	if (result == -1 && errno == ENOENT) {
		result = 0;
	} else if (result == 0 &&
	    queue_envelope_decode(str_span(&env), &envelope) == 0) {
		*recipients = envelope.recipient_count;
		result = 1;
	}
	str_free(&env);
	return result;
}

/* ---- done --------------------------------------------------------------- */

static int
store_states(int fd, const struct str *states, size_t from, size_t to)
{
	while (from < to) {
		ssize_t put =
		    pwrite(fd, states->s + from, to - from, (off_t)from);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return -1;
		from += (size_t)put;
	}
	return 0;
}

/* Fills *states with one byte a recipient; *fd is the open file. */
static int
load_states(
    uint64_t id, size_t recipients, bool fresh, struct str *states, int *fd)
{
	struct str path = STR_INIT;
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | (fresh ? O_TRUNC : 0);
	bool whole;

	queue_file_path(&path, QUEUE_DONE, id);
	*fd = open(path.s, flags, 0640);
	str_free(&path);
	str_clear(states);
	if (*fd == -1)
		return -1;
	if (!fresh && file_read_fd(*fd, STORE_ENV_MAX, states) == -1)
		return -1;
	whole = states->len == recipients;
	if (states->len > recipients)
		str_truncate(states, recipients);
	while (states->len < recipients)
		str_append_char(states, 'T');
	if (whole)
		return 0;
	/* new, or cut by a crash: from here on it has its full size */
	return store_states(*fd, states, 0, states->len);
}

/* ---- bounce ------------------------------------------------------------- */

static int
append_bounce(uint64_t id, const struct str *entries)
{
	struct str path = STR_INIT;
	int fd, result;

	queue_file_path(&path, QUEUE_BOUNCE, id);
	fd = open(path.s, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	str_free(&path);
	if (fd == -1)
		return -1;
	result = fd_write_all(fd, entries->s, entries->len);
	if (close(fd) == -1)
		result = -1;
	return result;
}

/*
 * After a crash: cuts a torn tail off, and marks in has (one byte a recipient)
 * whose texts are there. What was cut is in the journal.
 */
static int
mend_bounce(uint64_t id, size_t recipients, char *has)
{
	struct str path = STR_INIT, bounce = STR_INIT;
	struct queue_failure failure;
	struct span rest;
	int more, result = -1;

	queue_file_path(&path, QUEUE_BOUNCE, id);
	if (file_read(path.s, BOUNCE_MAX, &bounce) == -1) {
		result = errno == ENOENT ? 0 : -1;
		goto done;
	}
	rest = str_span(&bounce);
	while ((more = queue_failure_next(&rest, id, &failure)) == 1) {
		if (failure.recipient < recipients)
			has[failure.recipient] = 1;
	}
	if (more == 0)
		result = 0;
	else
		result = truncate(path.s, (off_t)(bounce.len - rest.len));
done:
	str_free(&path);
	str_free(&bounce);
	return result;
}

/* ---- both --------------------------------------------------------------- */

struct work {
	struct str states, entries, has;
	size_t low, high; /* the states in between have changed */
	int fd;
};

static void
apply_one(struct work *work, const struct change *change)
{
	size_t index = change->what.index;
	bool failed = change->type == JOURNAL_FAILED;
	struct queue_failure failure = {change->what.index, change->what.text};
	char *state;

	if (index >= work->states.len)
		return;
	state = work->states.s + index;
	if (failed && work->has.len > 0) {
		/* after a crash the state may be there without the text */
		if (*state == 'D' || work->has.s[index] == 1)
			failed = false;
		else
			work->has.s[index] = 1;
	} else if (*state == 'D' || *state == 'F') {
		failed = false;
	}
	if (failed)
		queue_failure_append(&work->entries, change->id, &failure);
	if (*state == 'D' || *state == 'F')
		return;
	*state = change->type == JOURNAL_FAILED ? 'F' : 'D';
	if (index < work->low)
		work->low = index;
	if (index >= work->high)
		work->high = index + 1;
}

/* Makes has recipients zero bytes. */
static int
prepare_mending(struct work *work, uint64_t id, size_t recipients)
{
	str_reserve(&work->has, recipients + 1);
	memset(work->has.s, 0, recipients + 1);
	work->has.len = recipients;
	return mend_bounce(id, recipients, work->has.s);
}

int
changes_apply(const struct change *changes, size_t count, size_t recipients,
    bool after_crash)
{
	struct work work = {.states = STR_INIT,
	    .entries = STR_INIT,
	    .has = STR_INIT,
	    .low = SIZE_MAX,
	    .fd = -1};
	uint64_t id = changes[0].id;
	bool fresh = false;
	int result = -1;

	/* What was before the record that created the file is not worth
	   reading: a crash may have left anything. */
	for (size_t i = 0; after_crash && i < count; i++) {
		if (changes[i].what.first) {
			fresh = true;
			break;
		}
	}
	if (after_crash && prepare_mending(&work, id, recipients) == -1)
		goto done;
	if (load_states(id, recipients, fresh, &work.states, &work.fd) == -1)
		goto done;
	for (size_t i = 0; i < count; i++)
		apply_one(&work, &changes[i]);
	/* The text first: if only the mark were made, it would be lost until
	   the journal is read again. */
	if (work.entries.len > 0 && append_bounce(id, &work.entries) == -1)
		goto done;
	result = store_states(work.fd, &work.states, work.low, work.high);
done:
	fd_close(work.fd);
	str_free(&work.states);
	str_free(&work.entries);
	str_free(&work.has);
	return result;
}
