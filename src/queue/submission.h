/*
 * submission - what one client of submit.sock says, byte by byte
 *
 * Netstrings, each a letter and its bytes: P number (optional), M message
 * bytes, F sender, T recipient, "." the end. A client that says anything else,
 * or in another order, is dropped. One that asks for too much is heard to the
 * end and then told so: it may be in the middle of a long write.
 *
 * Root and the account of the queue may take messages over from another queue:
 * O uid SP birth SP origin first; then B, failures that happened there, behind
 * the sender, and L or R instead of T. And they may send nothing but W: that is
 * answered once every such submission which began before has come to its end.
 */
#ifndef QUEUE_SUBMISSION_H
#define QUEUE_SUBMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "conf/accounts.h"
#include "queue/letter.h"

enum {
	SUBMISSION_PIECE_MAX = 64 * 1024, /* bytes of message in a netstring */
	/* addresses of one message, and of all that are being received; each
	   counts for more than its bytes, as it does wherever it is kept */
	SUBMISSION_ADDRESS_COST = 32,
	SUBMISSION_ADDRESSES_MAX = 64 * 1024 * 1024,
	SUBMISSION_ADDRESSES_TOTAL = 256 * 1024 * 1024,
	/* so much each may have even when others have taken the total */
	SUBMISSION_ADDRESSES_FREE = 64 * 1024,
};

/* What all submissions share. */
struct submission_rules {
	const struct accounts *accounts;
	size_t large_bytes;      /* over it a message goes to tmp/ */
	size_t addresses_total;  /* bytes held by all of them now */
	uint64_t next_tmp;       /* the next number for tmp/ */
	const uint64_t *next_id; /* roughly the id that will be given */
	bool full;               /* no new mail: the disk is nearly full */
};

enum submission_state {
	SUBMISSION_START,
	SUBMISSION_BODY,
	SUBMISSION_ENVELOPE,
	SUBMISSION_STATES
};

struct submission {
	enum submission_state state;
	uint64_t uid; /* of the client; letter.uid is what the envelope says */
	int code;     /* 0, or the exit code with which it will be refused */
	struct str input; /* the start of a netstring that is not complete */
	size_t addresses; /* bytes counted in rules->addresses_total */
	struct letter letter;
};

enum submission_result {
	SUBMISSION_MORE,
	SUBMISSION_COMPLETE, /* code tells whether letter is good; if it is
				large, it still has to be synced */
	SUBMISSION_WAIT,     /* it asked for the end of others */
	SUBMISSION_DROP,
};

/* True if it may take messages over. */
bool submission_is_trusted(
    const struct submission *submission, const struct submission_rules *rules);
/* True if it does, or may yet. */
bool submission_may_take_over(
    const struct submission *submission, const struct submission_rules *rules);

void submission_init(struct submission *submission, uint64_t uid);
void submission_free(
    struct submission *submission, struct submission_rules *rules);
MUST_USE enum submission_result submission_feed(struct submission *submission,
    struct submission_rules *rules, struct span bytes);

#endif
