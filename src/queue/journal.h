/*
 * journal - the segment files: where commits go, and which may be used again
 *
 * Paths are relative to queue/. Records are appended to batch; journal_commit
 * makes them durable with one write and one fdatasync. A call that returns -1
 * (errno) is final for the process: what is on the disk is then unknown, and
 * the next start finds out. A sync that failed is never repeated.
 *
 * A segment goes from FREE to CURRENT, to SEALED when it is full, to CHECKING
 * while a qmail-clean syncs what it stands for, to CLEAN, and to FREE when a
 * durable record says that it is obsolete. The last free one is kept for
 * recovery unless using it sets another one free.
 */
#ifndef QUEUE_JOURNAL_H
#define QUEUE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "queue/journal_format.h"

enum {
	JOURNAL_SLOTS_MIN = 3,
	JOURNAL_SLOTS_MAX = 64,
	JOURNAL_KIB_MIN = 64,
	JOURNAL_KIB_MAX = 256 * 1024,
	JOURNAL_BATCH_MAX = 4 * 1024 * 1024, /* bytes of records, at most */
};

enum journal_slot_state {
	JOURNAL_ABSENT, /* no file yet */
	JOURNAL_MAKING, /* a qmail-clean is at it */
	JOURNAL_FREE,
	JOURNAL_CURRENT,
	JOURNAL_SEALED,
	JOURNAL_CHECKING,
	JOURNAL_CLEAN,
};

struct journal_slot {
	enum journal_slot_state state;
	int fd; /* or -1 */
	uint64_t epoch;
};

struct journal {
	struct journal_slot *slots; /* slot i is journal/i */
	size_t slot_count;
	size_t wanted_count; /* slots beyond are given up when they are free */
	size_t segment_bytes;
	size_t current;               /* or SPAN_NONE */
	struct journal_header header; /* of the current segment */
	size_t offset;                /* in it, of the next batch */
	uint32_t number;              /* of the next batch */
	uint64_t epoch;               /* the highest ever used */
	uint64_t low_durable, low_wanted;
	struct str batch; /* a sector for a header, the head, records */
	uint64_t batch_records;
	uint64_t sync_count, record_count, byte_count; /* since the start */
};

/* wanted and size_kib are within the limits above. */
void journal_init(struct journal *journal, size_t wanted, size_t size_kib);
void journal_free(struct journal *journal);

void journal_slot_path(struct str *path, size_t slot);
/* Makes or replaces journal/SLOT: allocated, zero, durable. 0, or -1. */
MUST_USE int journal_slot_make(size_t slot, size_t bytes);
/* Takes a made file over as FREE. 0, or -1. */
MUST_USE int journal_slot_adopt(struct journal *journal, size_t slot);
/* Gives a slot up and removes its file; it holds nothing that is needed. */
MUST_USE int journal_slot_discard(struct journal *journal, size_t slot);
/* Makes room for at least count slots. */
void journal_reserve_slots(struct journal *journal, size_t count);

bool journal_is_empty(const struct journal *journal); /* no records wait */
/* True if a record of this body can join the batch. An empty batch takes any
   record of at most a quarter of a segment and some. */
bool journal_has_room(const struct journal *journal, size_t body_len);
/* True if a commit would find a segment for the batch now. */
bool journal_can_commit(const struct journal *journal);
/* Writes and syncs the batch. base_id goes into the header if it opens a
   segment: the smallest id that is in no record before this batch. */
MUST_USE int journal_commit(struct journal *journal, uint64_t base_id);

/* The oldest slot that waits for its checkpoint; it is CHECKING from now on.
   SPAN_NONE if there is none. */
size_t journal_take_sealed(struct journal *journal);
void journal_checkpointed(struct journal *journal, size_t slot);
/* True if a checkpoint is done whose record is not durable yet. */
bool journal_has_news(const struct journal *journal);
/* A slot that should be made now, MAKING from then on; or SPAN_NONE. */
size_t journal_take_absent(struct journal *journal);

#endif
