/*
 * pass - one attempt at all recipients of a message that remain on one channel
 *
 * Made from the envelope, kept while the attempt lasts. On the remote channel
 * the recipients are grouped by host: a job takes those of one group, and the
 * group whose first recipient comes first in the envelope and whose host has
 * room goes first. On the local channel there is one group without a host.
 */
#ifndef SEND_PASS_H
#define SEND_PASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "conf/classify.h"
#include "mail/order_set.h"
#include "mail/queue_file.h"
#include "send/hosts.h"

struct message;

#define PASS_NONE UINT32_MAX /* no recipient follows */

struct pass_recipient {
	uint32_t index; /* in the envelope */
	uint32_t next;  /* the next of its group, or PASS_NONE */
	size_t offset;  /* of its rewritten address */
	uint32_t len;
};

struct pass_group {
	struct host *host; /* held; NULL on the local channel */
	uint32_t first, last;
};

struct pass {
	struct pass *next; /* in the ring of its channel */
	struct message *message;
	enum channel_kind channel;
	uint64_t size_bytes; /* of the message */
	bool verp;           /* each recipient has a sender of its own */
	bool single;         /* the message has no other recipient at all */
	bool expired;        /* too old: what fails for now fails for good */
	bool held;           /* some recipients are held: they are not in it */
	bool stopped;        /* by an order: its rest was dropped */
	unsigned releases;   /* of orders, when it began */
	int64_t birth_s;     /* of the message */
	int64_t next_due_s;  /* for those that are deferred */
	unsigned generation; /* of the tables that it was made with */
	size_t running;      /* jobs */
	size_t deferred;     /* recipients */
	uint32_t request;    /* the last one to the queue */
	bool requested;      /* there was one */
	struct str sender, text;
	struct pass_recipient *recipients;
	struct pass_group *groups; /* a heap by first */
	size_t recipient_count, recipient_room, group_count, group_room;
};

/* How many recipients a message has left. */
struct pass_counts {
	size_t todo[CHANNELS], failed;
	size_t held[CHANNELS]; /* of those in todo */
};

/* When the message was accepted; the last day of the year 9999 is as good as
   any later one. */
int64_t pass_birth(const struct queue_envelope *envelope);
/*
 * Sorts the recipients that are not done into new passes: *made[channel] is
 * set where wanted[channel] is and recipients are there, else it is NULL. done
 * holds the bytes of the done file. Who is in a domain that orders hold is
 * left out. Memory that runs out ends the process.
 */
void pass_make(const struct queue_envelope *envelope, struct span done,
    const struct classify_tables *tables, const struct order_set *orders,
    struct hosts *hosts, const bool wanted[CHANNELS],
    struct pass *made[CHANNELS], struct pass_counts *counts);
void pass_free(struct pass *pass, struct hosts *hosts);
/* Drops all that has not been taken; running jobs go on. */
void pass_cut(struct pass *pass, struct hosts *hosts);
size_t pass_size(const struct pass *pass); /* bytes of memory, about */

/*
 * Takes up to max recipients of one group whose host may have one more job,
 * room_bytes of addresses at most (but at least one), into taken.
 * Returns how many; *host is their host, held once more for the caller, or
 * NULL. 0 if all groups must wait: then *host is the first of them, not held.
 */
size_t pass_take(struct pass *pass, struct hosts *hosts, size_t max,
    size_t room_bytes, uint32_t *taken, struct host **host);
bool pass_has_more(const struct pass *pass);
/* The rewritten address; valid while the pass is. */
struct span pass_address(const struct pass *pass, uint32_t recipient);

#endif
