/*
 * replay - reads the journal as a crash left it
 *
 * Opens nothing for writing: it only finds out which segments are live and
 * what their records say. Damage is told on stderr, and what is readable kept.
 */
#ifndef QUEUE_REPLAY_H
#define QUEUE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "queue/journal_format.h"

struct replay_segment {
	size_t slot; /* journal/SLOT */
	struct str bytes;
	enum journal_header_state state;
	struct journal_header header; /* if state is JOURNAL_HEADER_OK */
	bool live;
};

struct replay_record {
	struct journal_record record; /* borrowed from its segment */
	size_t order;
};

struct replay {
	struct replay_segment *segments; /* by epoch once they are read */
	size_t segment_count;
	struct replay_record *records; /* of the live ones; by id, then order */
	size_t record_count, record_size;
	uint64_t epoch;   /* the highest ever used */
	uint64_t low;     /* the highest known low epoch */
	uint64_t base_id; /* of the oldest live segment; UINT64_MAX: none */
	uint64_t next_id; /* above every id that the journal has seen */
	bool damaged;     /* records are missing that may have been durable */
};

#define REPLAY_INIT                                                            \
	{                                                                      \
		NULL, 0, NULL, 0, 0, 0, 0, UINT64_MAX, 1, false                \
	}

/* Adds the content of a segment; takes bytes over. */
void replay_add(struct replay *replay, size_t slot, struct str *bytes);
/* Reads journal/ from the disk. 0, or -1 with errno. */
MUST_USE int replay_load(struct replay *replay);
/* The slot of a segment of a later version, or SPAN_NONE. */
size_t replay_find_newer(const struct replay *replay);
/* Finds the live ones and collects their records. */
void replay_run(struct replay *replay);
void replay_free(struct replay *replay);

#endif
