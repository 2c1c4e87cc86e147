#include "queue/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/random.h"

enum {
	RECORDS_AT = JOURNAL_SECTOR + JOURNAL_BATCH_HEAD, /* in batch */
	ZEROS = 64 * 1024,
	/* a CHECKPOINT record may join any batch, and a SEAL needs a place */
	SPARE_RECORDS = JOURNAL_RECORD_HEAD + 8,
	SEAL_BYTES = JOURNAL_SECTOR,
};

/* ---- slots -------------------------------------------------------------- */

void
journal_slot_path(struct str *path, size_t slot)
{
	str_format(path, "journal/%zu", slot);
}

static int
write_zeros(int fd, size_t bytes)
{
	static const char zeros[ZEROS];
	int error;

	/* real zeros, not a promise: a commit shall change no metadata */
	while (bytes > 0) {
		size_t part = bytes < sizeof(zeros) ? bytes : sizeof(zeros);

		if (fd_write_all(fd, zeros, part) == -1)
			return -1;
		bytes -= part;
	}
	do
		error = fsync(fd);
	while (error == -1 && errno == EINTR); /* nothing was lost by it */
	return error;
}

int
journal_slot_make(size_t slot, size_t bytes)
{
	struct str path = STR_INIT, temporary = STR_INIT;
	int fd, result = -1;

	journal_slot_path(&path, slot);
	str_format(&temporary, "%s.new", path.s);
	fd = open(temporary.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd != -1 && write_zeros(fd, bytes) == 0 &&
	    rename(temporary.s, path.s) == 0 && dir_sync("journal") == 0)
		result = 0;
	if (result == -1) {
		int error = errno;

		(void)unlink(temporary.s); /* recovery removes it too */
		errno = error;
	}
	fd_close(fd);
	str_free(&path);
	str_free(&temporary);
	return result;
}

void
journal_reserve_slots(struct journal *journal, size_t count)
{
	if (count <= journal->slot_count)
		return;
	journal->slots =
	    mem_resize(journal->slots, count, sizeof(*journal->slots));
	for (size_t i = journal->slot_count; i < count; i++)
		journal->slots[i] = (struct journal_slot){.fd = -1};
	journal->slot_count = count;
}

int
journal_slot_adopt(struct journal *journal, size_t slot)
{
	struct str path = STR_INIT;
	int fd;

	assert(slot < journal->slot_count);
	journal_slot_path(&path, slot);
	fd = open(path.s, O_RDWR | O_CLOEXEC);
	str_free(&path);
	if (fd == -1)
		return -1;
	fd_close(journal->slots[slot].fd);
	journal->slots[slot] =
	    (struct journal_slot){.state = JOURNAL_FREE, .fd = fd};
	return 0;
}

int
journal_slot_discard(struct journal *journal, size_t slot)
{
	struct str path = STR_INIT;
	int result;

	fd_close(journal->slots[slot].fd);
	journal->slots[slot] = (struct journal_slot){.fd = -1};
	journal_slot_path(&path, slot);
	result = unlink(path.s);
	if (result == -1 && errno == ENOENT)
		result = 0;
	str_free(&path);
	return result;
}

static size_t
count_slots(const struct journal *journal, enum journal_slot_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < journal->slot_count; i++)
		count += journal->slots[i].state == state;
	return count;
}

/* The slot in that state with the lowest epoch, or SPAN_NONE. */
static size_t
oldest_slot(const struct journal *journal, enum journal_slot_state state)
{
	size_t best = SPAN_NONE;

	for (size_t i = 0; i < journal->slot_count; i++) {
		if (journal->slots[i].state == state &&
		    (best == SPAN_NONE ||
			journal->slots[i].epoch < journal->slots[best].epoch))
			best = i;
	}
	return best;
}

/* Segments under the durable low epoch are free from now on. */
static int
free_obsolete(struct journal *journal)
{
	for (size_t i = 0; i < journal->slot_count; i++) {
		struct journal_slot *slot = &journal->slots[i];

		if (slot->state != JOURNAL_CLEAN ||
		    slot->epoch >= journal->low_durable)
			continue;
		slot->state = JOURNAL_FREE;
		if (i >= journal->wanted_count &&
		    journal_slot_discard(journal, i) == -1)
			return -1;
	}
	return 0;
}

/* ---- life --------------------------------------------------------------- */

static void
clear_batch(struct journal *journal)
{
	str_truncate(&journal->batch, JOURNAL_SECTOR);
	journal_batch_begin(&journal->batch);
	journal->batch_records = 0;
}

void
journal_init(struct journal *journal, size_t wanted, size_t size_kib)
{
	static const char zeros[JOURNAL_SECTOR];

	*journal = (struct journal){.wanted_count = wanted,
	    .segment_bytes = size_kib * 1024,
	    .current = SPAN_NONE,
	    .batch = STR_INIT};
	journal_reserve_slots(journal, wanted);
	str_append(&journal->batch, zeros, sizeof(zeros));
	clear_batch(journal);
}

void
journal_free(struct journal *journal)
{
	for (size_t i = 0; i < journal->slot_count; i++)
		fd_close(journal->slots[i].fd);
	free(journal->slots);
	str_free(&journal->batch);
	*journal = (struct journal){.current = SPAN_NONE, .batch = STR_INIT};
}

/* ---- commits ------------------------------------------------------------ */

static size_t
records_len(const struct journal *journal)
{
	return journal->batch.len - RECORDS_AT;
}

bool
journal_is_empty(const struct journal *journal)
{
	return records_len(journal) == 0;
}

bool
journal_has_room(const struct journal *journal, size_t body_len)
{
	size_t most = journal->segment_bytes - JOURNAL_SECTOR - SEAL_BYTES;
	size_t len = records_len(journal) + journal_record_size(body_len) +
	    SPARE_RECORDS;

	if (len > JOURNAL_BATCH_MAX && records_len(journal) > 0)
		return false;
	return journal_batch_size(len) <= most;
}

/* True if the batch goes behind the last one. */
static bool
fits_current(const struct journal *journal)
{
	size_t size = journal_batch_size(records_len(journal) + SPARE_RECORDS);

	return journal->current != SPAN_NONE &&
	    journal->offset + size + SEAL_BYTES <= journal->segment_bytes;
}

bool
journal_has_news(const struct journal *journal)
{
	return journal->low_wanted > journal->low_durable;
}

bool
journal_can_commit(const struct journal *journal)
{
	size_t spare =
	    journal->current == SPAN_NONE || journal_has_news(journal) ? 0 : 1;

	return fits_current(journal) ||
	    count_slots(journal, JOURNAL_FREE) > spare;
}

static int
write_at(int fd, const char *bytes, size_t len, size_t offset)
{
	while (len > 0) {
		ssize_t put = pwrite(fd, bytes, len, (off_t)offset);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return -1;
		bytes += put;
		len -= (size_t)put;
		offset += (size_t)put;
	}
	return 0;
}

static int
write_and_sync(
    struct journal *journal, const char *bytes, size_t len, size_t offset)
{
	int fd = journal->slots[journal->current].fd;

	if (write_at(fd, bytes, len, offset) == -1 || fdatasync(fd) == -1)
		return -1;
	journal->sync_count++;
	journal->byte_count += len;
	return 0;
}

/* The last batch of a segment. Only when it is durable may the next one be
   opened: a segment that is not the newest and has no SEAL is damaged. */
static int
seal_current(struct journal *journal)
{
	struct str seal = STR_INIT;
	int result;

	journal_batch_begin(&seal);
	journal_record_append(&seal, JOURNAL_SEAL, 0, NULL, 0);
	journal_batch_finish(&seal, 0, &journal->header, journal->number);
	result = write_and_sync(journal, seal.s, seal.len, journal->offset);
	str_free(&seal);
	if (result == -1)
		return -1;
	journal->slots[journal->current].state = JOURNAL_SEALED;
	journal->current = SPAN_NONE;
	return 0;
}

/* Chooses a slot and fills in the header; the disk is not touched yet. */
static int
open_segment(struct journal *journal, uint64_t base_id)
{
	size_t slot = SPAN_NONE;
	uint64_t salt;

	if (journal->current != SPAN_NONE && seal_current(journal) == -1)
		return -1;
	if (random_fill(&salt, sizeof(salt)) == -1)
		return -1;
	slot = oldest_slot(journal, JOURNAL_FREE);
	assert(slot != SPAN_NONE); /* see journal_can_commit */
	journal->epoch++;
	journal->header = (struct journal_header){.version = JOURNAL_VERSION,
	    .size_kib = (uint32_t)(journal->segment_bytes / 1024),
	    .epoch = journal->epoch,
	    .low = journal->low_wanted,
	    .base_id = base_id,
	    .time_s = (uint64_t)clock_now(),
	    .salt = salt};
	journal->slots[slot].state = JOURNAL_CURRENT;
	journal->slots[slot].epoch = journal->epoch;
	journal->current = slot;
	journal->offset = JOURNAL_SECTOR;
	journal->number = 0;
	return 0;
}

int
journal_commit(struct journal *journal, uint64_t base_id)
{
	bool opens = !fits_current(journal);
	uint64_t low = journal->low_wanted;
	size_t from = JOURNAL_SECTOR, len;

	assert(journal_can_commit(journal));
	if (opens && open_segment(journal, base_id) == -1)
		return -1;
	if (opens) { /* the header carries low */
		journal_header_encode(journal->batch.s, &journal->header);
		from = 0;
	} else if (journal_has_news(journal)) {
		journal_checkpoint_append(&journal->batch, low);
		journal->batch_records++;
	}
	journal_batch_finish(
	    &journal->batch, JOURNAL_SECTOR, &journal->header, journal->number);
	len = journal->batch.len - JOURNAL_SECTOR;
	if (write_and_sync(journal, journal->batch.s + from,
		journal->batch.len - from,
		journal->offset - (JOURNAL_SECTOR - from)) == -1)
		return -1;
	journal->offset += len;
	journal->number++;
	journal->record_count += journal->batch_records;
	journal->low_durable = low;
	clear_batch(journal);
	return free_obsolete(journal);
}

/* ---- checkpoints -------------------------------------------------------- */

size_t
journal_take_sealed(struct journal *journal)
{
	size_t slot = oldest_slot(journal, JOURNAL_SEALED);

	if (slot != SPAN_NONE)
		journal->slots[slot].state = JOURNAL_CHECKING;
	return slot;
}

void
journal_checkpointed(struct journal *journal, size_t slot)
{
	uint64_t low = journal->epoch + 1;

	assert(journal->slots[slot].state == JOURNAL_CHECKING);
	journal->slots[slot].state = JOURNAL_CLEAN;
	/* low stops at the oldest segment that is still needed */
	for (size_t i = 0; i < journal->slot_count; i++) {
		const struct journal_slot *s = &journal->slots[i];

		if ((s->state == JOURNAL_CURRENT ||
			s->state == JOURNAL_SEALED ||
			s->state == JOURNAL_CHECKING) &&
		    s->epoch < low)
			low = s->epoch;
	}
	journal->low_wanted = low;
}

size_t
journal_take_absent(struct journal *journal)
{
	size_t wanted = 1;

	if (journal->current == SPAN_NONE ||
	    journal->offset > journal->segment_bytes / 2)
		wanted = 2;
	if (count_slots(journal, JOURNAL_FREE) >= wanted ||
	    count_slots(journal, JOURNAL_MAKING) > 0)
		return SPAN_NONE;
	for (size_t i = 0; i < journal->wanted_count; i++) {
		if (journal->slots[i].state == JOURNAL_ABSENT) {
			journal->slots[i].state = JOURNAL_MAKING;
			return i;
		}
	}
	return SPAN_NONE;
}
