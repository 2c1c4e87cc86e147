/*
 * journal_format - the bytes of a journal segment; cqmail-journal(5)
 *
 * Pure: no I/O. All integers are little-endian. A segment is a header sector
 * and batches, each on a sector boundary; a batch is what one commit wrote. The
 * salt of a segment is random and known to nobody who can write a message:
 * bytes of messages that lie about in a segment that was used before can
 * therefore not pass for a batch, whatever they contain.
 */
#ifndef QUEUE_JOURNAL_FORMAT_H
#define QUEUE_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	JOURNAL_SECTOR = 512,
	JOURNAL_VERSION = 1,
	JOURNAL_BATCH_HEAD = 24,
	JOURNAL_RECORD_HEAD = 16,
};

/* ---- segment headers ---- */

struct journal_header {
	uint32_t version, size_kib;
	uint64_t epoch;   /* of this use of the file, higher than any before */
	uint64_t low;     /* segments with an epoch under it are obsolete */
	uint64_t base_id; /* the smallest id not recorded before */
	uint64_t time_s;
	uint64_t salt;
};

enum journal_header_state {
	JOURNAL_HEADER_OK,
	JOURNAL_HEADER_EMPTY, /* all zero: never used */
	JOURNAL_HEADER_NEWER, /* of a later version: hands off */
	JOURNAL_HEADER_BAD,
};

void journal_header_encode(
    char sector[JOURNAL_SECTOR], const struct journal_header *header);
/* sector has JOURNAL_SECTOR bytes. */
MUST_USE enum journal_header_state journal_header_decode(
    const char *sector, struct journal_header *header);

/* ---- records ---- */

enum journal_type {
	JOURNAL_MESSAGE = 1,
	JOURNAL_LARGE,
	JOURNAL_DONE,
	JOURNAL_FAILED,
	JOURNAL_RETIRED,
	JOURNAL_CHECKPOINT,
	JOURNAL_SEAL,
};

struct journal_record {
	enum journal_type type;
	uint64_t id;
	struct span body; /* borrowed */
};

/* Bytes that a record with so much body takes in a batch. */
size_t journal_record_size(size_t body_len);
/* Appends a record; the body is the parts, one behind the other. */
void journal_record_append(struct str *batch, enum journal_type type,
    uint64_t id, const struct span *parts, size_t count);
/* Takes the next record off *records: 1; 0 at the end; -1 if it is malformed,
   which a right checksum excludes. */
MUST_USE int journal_record_next(
    struct span *records, struct journal_record *record);

/* The bodies. Decoding gives 0, or -1 if the body is not of that form. */
struct journal_message {
	struct span env, mess;
};
MUST_USE int journal_message_decode(
    struct span body, struct journal_message *message);

/*
 * A large message: tmp/NUMBER holds the message, and tmp/NUMBER.env the
 * envelope if env_file is set. Both were durable, but for their first bytes,
 * which hold the id and were not known yet: these are head and env_head, and
 * env_tail is how the envelope ends. Without env_file env_head is all of it.
 */
struct journal_large {
	uint64_t number;
	bool env_file;
	struct span head, env_head, env_tail;
};
void journal_large_append(
    struct str *batch, uint64_t id, const struct journal_large *large);
MUST_USE int journal_large_decode(
    struct span body, struct journal_large *large);

struct journal_change {
	uint32_t index;
	bool first;       /* this record created the done file */
	struct span text; /* of a failure */
};
void journal_change_append(struct str *batch, enum journal_type type,
    uint64_t id, const struct journal_change *change);
MUST_USE int journal_change_decode(
    const struct journal_record *record, struct journal_change *change);

void journal_checkpoint_append(struct str *batch, uint64_t low);
MUST_USE int journal_checkpoint_decode(struct span body, uint64_t *low);

/* ---- batches ---- */

/* Appends the head of an empty batch; records follow; then it is finished:
   padded to a sector. start is batch->len before the head. */
void journal_batch_begin(struct str *batch);
void journal_batch_finish(struct str *batch, size_t start,
    const struct journal_header *header, uint32_t number);
/* Bytes on the disk of a batch with so many bytes of records. */
size_t journal_batch_size(size_t records_len);

/* ---- reading a segment ---- */

struct journal_scan {
	struct span segment; /* all of the file; borrowed */
	struct journal_header header;
	size_t at;       /* where the next batch is expected */
	uint32_t number; /* of the next batch */
	bool sealed;     /* the last batch ended with SEAL */
	size_t skipped;  /* places where a batch was damaged: valid ones of
			    the same use lie behind */
};

MUST_USE enum journal_header_state journal_scan_begin(
    struct journal_scan *scan, struct span segment);
/*
 * The records of the next batch. 1, or 0 when there are no more. A batch that
 * is damaged is stepped over if later ones are valid; only the last one can be
 * torn by a crash, because each waits for the sync of the one before.
 */
MUST_USE int journal_scan_batch(
    struct journal_scan *scan, struct span *records);

#endif
