/*
 * ledger - ids, the batch, and what has to happen once it is durable
 *
 * What is handed in here is on the disk after the next ledger_commit that
 * returns 0, and not before. After a -1 the process must end: see journal.h.
 * The files of a message are made before its record is durable and marked and
 * removed after it. Memory: what was retired and not removed yet, the changes
 * of one batch, and which messages have had changes.
 */
#ifndef QUEUE_LEDGER_H
#define QUEUE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "conf/accounts.h"
#include "queue/changes.h"
#include "queue/cleaners.h"
#include "queue/id_table.h"
#include "queue/journal.h"
#include "queue/letter.h"

struct ledger {
	const struct accounts *accounts;
	struct cleaners *cleaners;
	struct journal journal;
	uint64_t next_id;    /* the next to be given */
	uint64_t durable_id; /* every id under it is committed, or nobody's */
	struct id_table retired;    /* until their files are gone */
	struct id_table recipients; /* how many a message has, as a cache; the
				       top bit: it has a done file */
	uint64_t first_id;      /* what was accepted before may have any file */
	struct id_table marked; /* of those after it: not mess and env alone */
	struct change *changes; /* of this batch; their texts lie in texts */
	size_t change_count, change_size;
	struct str texts;
	uint64_t *retiring; /* retired by this batch: see cleaners_remove */
	size_t retiring_count, retiring_size;
	uint64_t message_count; /* accepted since the start */
	struct str head, env;   /* scratch; see ledger_accept */
};

/* The journal inside is the caller's to set up. */
void ledger_init(struct ledger *ledger, const struct accounts *accounts,
    struct cleaners *cleaners);
void ledger_free(struct ledger *ledger);

/* True if a commit must come before a letter, or a change, may be taken. */
bool ledger_is_full(const struct ledger *ledger, const struct letter *letter);
/*
 * Gives a letter its id, its files and its record; if it is large it was synced
 * before. Returns 0 and *id, and the envelope is in env until the next, if it
 * is not a large one; or an exit code of qmail-queue: then nothing is left of
 * it, and the ledger is as it was.
 */
MUST_USE int ledger_accept(
    struct ledger *ledger, struct letter *letter, uint64_t *id);

/* What became of a recipient. Does nothing for a message or a recipient that
   is not there: it may be told twice. -1 with errno. */
MUST_USE int ledger_change(struct ledger *ledger, enum journal_type type,
    uint64_t id, uint64_t index, struct span text);
/* All is over. */
void ledger_retire(struct ledger *ledger, uint64_t id);
/* The files of a retired message are gone. */
void ledger_removed(struct ledger *ledger, uint64_t id);

/* True if there is something that a commit would write. */
bool ledger_has_work(const struct ledger *ledger);
/* Makes the batch durable and applies it. journal_can_commit must be true. */
MUST_USE int ledger_commit(struct ledger *ledger);

#endif
