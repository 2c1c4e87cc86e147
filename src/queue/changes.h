/*
 * changes - what became of recipients, written into done and bounce files
 *
 * A change is applied only after its record is durable: a done file never says
 * more than the journal, so no failure can be marked whose text is lost. The
 * state of a recipient goes from 'T' to 'D' or 'F' once; later changes are
 * ignored, so that applying again what is already there does nothing.
 */
#ifndef QUEUE_CHANGES_H
#define QUEUE_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "queue/journal_format.h"

struct change {
	uint64_t id;
	enum journal_type type; /* JOURNAL_DONE or JOURNAL_FAILED */
	struct journal_change what;
};

/*
 * Applies changes of one message, in order. recipients is how many it has.
 * after_crash: the files may be missing, torn or older than the journal; they
 * are mended. 0, or -1 with errno.
 */
MUST_USE int changes_apply(const struct change *changes, size_t count,
    size_t recipients, bool after_crash);

/* How many recipients a message has, by its env file. 1; 0 if it is not there
   or not readable as an envelope; -1. */
MUST_USE int changes_count_recipients(uint64_t id, size_t *recipients);

#endif
