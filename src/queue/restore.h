/*
 * restore - makes the plain files of one message what its record says
 */
#ifndef QUEUE_RESTORE_H
#define QUEUE_RESTORE_H

#include "base/attr.h"
#include "queue/journal_format.h"

/*
 * record is a JOURNAL_MESSAGE or a JOURNAL_LARGE. Returns 1 when the files are
 * right (not yet synced); 0 if they cannot be made so: what there is was moved
 * to damaged/ and named on stderr; -1 with errno.
 */
MUST_USE int restore_message(const struct journal_record *record);

/*
 * For a message that a damaged journal does not name, though it may have been
 * accepted. Returns 1 if its files are whole, and makes them durable; 0 if
 * not: what there is was moved to damaged/; -1 with errno.
 */
MUST_USE int restore_unrecorded(uint64_t id);

#endif
