#include "queue/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/pack.h"
#include "mail/queue_file.h"
#include "queue/store.h"

enum {
	BUFFER = 64 * 1024,
};

/*
 * Opens a file to see what the disk has of it. If qmail-queued ended because a
 * sync had failed, memory may still show what never got there, and the next
 * sync would find nothing to do.
 */
static int
open_to_judge(enum queue_kind kind, uint64_t id)
{
	struct str path = STR_INIT;
	int fd;

	queue_file_path(&path, kind, id);
	do
		fd = fd_open(path.s, O_RDONLY, 0);
	while (fd == -1 && errno == EINTR);
	str_free(&path);
	if (fd != -1)
		fd_forget_cache(fd);
	return fd;
}

static int
read_to_judge(enum queue_kind kind, uint64_t id, size_t max, struct str *to)
{
	int fd = open_to_judge(kind, id);
	int result;

	if (fd == -1)
		return -1;
	result = file_read_fd(fd, max, to);
	fd_close(fd);
	return result;
}

/* Writes the file again unless it holds exactly bytes. */
static int
ensure_content(enum queue_kind kind, uint64_t id, struct span bytes)
{
	struct str have = STR_INIT;
	int result = read_to_judge(kind, id, bytes.len, &have);
	bool same = result == 0 && span_equal(str_span(&have), bytes);

	str_free(&have);
	if (same)
		return 0;
	if (result == -1 && errno != ENOENT && errno != EFBIG)
		return -1;
	return store_replace(kind, id, &bytes, 1);
}

static int
set_aside(uint64_t id)
{
	struct str path = STR_INIT;
	int result = 0;

	for (int kind = 0; kind < QUEUE_KINDS && result == 0; kind++) {
		queue_file_path(&path, (enum queue_kind)kind, id);
		if (store_set_aside(path.s) == -1 && errno != ENOENT)
			result = -1;
	}
	str_free(&path);
	return result;
}

/* ---- large messages ----------------------------------------------------- */

/* Brings a file from tmp/ if it was not renamed yet, and puts its first and
   last bytes right. 1 it is there, 0 it is not, or is too short, -1. */
static int
ensure_file(uint64_t number, bool env, enum queue_kind kind, uint64_t id,
    struct span head, struct span tail)
{
	struct str path = STR_INIT;
	int there = store_has(kind, id), result = -1;

	if (there == -1)
		return -1;
	if (there == 0 && store_tmp_keep(number, env, kind, id) == -1)
		return errno == ENOENT ? 0 : -1;
	queue_file_path(&path, kind, id);
	if (store_patch(path.s, head, tail) == 0)
		result = 1;
	else if (errno == EINVAL)
		result = 0;
	str_free(&path);
	return result;
}

/* 1 if the message has the size and checksum that its envelope names. */
static int
check_mess(uint64_t id, const struct queue_envelope *envelope)
{
	static char buf[BUFFER];
	uint64_t size = 0;
	uint32_t crc = 0;
	ssize_t got;
	int fd = open_to_judge(QUEUE_MESS, id);

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	do {
		got = read(fd, buf, sizeof(buf));
		if (got == -1 && errno == EINTR)
			continue;
		if (got > 0) {
			crc = crc32c(crc, buf, (size_t)got);
			size += (uint64_t)got;
		}
	} while (got > 0 || (got == -1 && errno == EINTR));
	fd_close(fd);
	if (got == -1)
		return -1;
	return size == envelope->size_bytes && crc == envelope->mess_crc;
}

static int
check_files(uint64_t id)
{
	struct queue_envelope envelope;
	struct str env = STR_INIT;
	int result = read_to_judge(QUEUE_ENV, id, STORE_ENV_MAX, &env);

	if (result == 0)
		result = queue_envelope_decode(str_span(&env), &envelope) == -1
		    ? 0
		    : check_mess(id, &envelope);
	str_free(&env);
	return result;
}

int
restore_unrecorded(uint64_t id)
{
	struct str path = STR_INIT;
	int whole = check_files(id), result = 0;

	if (whole == -1 && errno != ENOENT)
		return -1;
	if (whole != 1)
		return set_aside(id);
	for (int kind = 0; kind < QUEUE_KINDS && result != -1; kind++) {
		queue_file_path(&path, (enum queue_kind)kind, id);
		result = store_sync_file(path.s);
	}
	str_free(&path);
	return result == -1 ? -1 : 1;
}

static int
restore_large(uint64_t id, const struct journal_large *large)
{
	struct span none = {"", 0};
	int whole;

	whole = ensure_file(
	    large->number, false, QUEUE_MESS, id, large->head, none);
	if (whole == 1 && large->env_file)
		whole = ensure_file(large->number, true, QUEUE_ENV, id,
		    large->env_head, large->env_tail);
	else if (whole == 1 &&
	    ensure_content(QUEUE_ENV, id, large->env_head) == -1)
		whole = -1;
	return whole == 1 ? check_files(id) : whole;
}

int
restore_message(const struct journal_record *record)
{
	struct journal_message message;
	struct journal_large large;
	int whole = 0;

	if (record->type == JOURNAL_MESSAGE &&
	    journal_message_decode(record->body, &message) == 0) {
		if (ensure_content(QUEUE_MESS, record->id, message.mess) ==
			-1 ||
		    ensure_content(QUEUE_ENV, record->id, message.env) == -1)
			return -1;
		return 1;
	}
	if (record->type == JOURNAL_LARGE &&
	    journal_large_decode(record->body, &large) == 0)
		whole = restore_large(record->id, &large);
	if (whole != 0)
		return whole;
	warn_plain(
	    "message %llu cannot be restored", (unsigned long long)record->id);
	return set_aside(record->id);
}
