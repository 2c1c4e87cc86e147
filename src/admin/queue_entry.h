/*
 * queue_entry - a message of the queue with all that can be said of it
 */
#ifndef ADMIN_QUEUE_ENTRY_H
#define ADMIN_QUEUE_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "conf/classify.h"
#include "mail/order_set.h"
#include "mail/queue_file.h"

struct queue_entry {
	uint64_t id;
	struct queue_envelope envelope; /* borrowed from env */
	bool bouncing;
	struct str env, done, scratch;
};

#define QUEUE_ENTRY_INIT                                                       \
	{                                                                      \
		.env = STR_INIT, .done = STR_INIT, .scratch = STR_INIT         \
	}

/* What a message is, by its recipients; a set of bits. */
enum queue_state {
	QUEUE_STATE_LOCAL = 1,     /* some are to be tried there */
	QUEUE_STATE_REMOTE = 2,    /* the same */
	QUEUE_STATE_HELD = 4,      /* some of these are not tried, by order */
	QUEUE_STATE_BOUNCING = 8,  /* some failed: the sender will be told */
	QUEUE_STATE_DONE = 16,     /* nobody is left */
	QUEUE_STATE_EXPIRING = 32, /* it is to be given up, by order */
	QUEUE_STATE_REMOVING = 64, /* it is to be removed, by order */
};

/* The bit of that name, or 0. */
unsigned queue_state_of(const char *name);

/* How the lines of a message are judged. */
struct queue_entry_rules {
	const struct classify_tables *tables;
	const struct order_set *orders;
};

/* Reads a message in the place of the last. 1; 0 it is over; -1 with errno
   (EBADMSG: damaged). */
MUST_USE int queue_entry_read(
    struct queue_entry *entry, int queue_dir, uint64_t id);
void queue_entry_free(struct queue_entry *entry);

/* True if somebody who is not done is in a domain that these orders hold. */
bool queue_entry_has_left(
    const struct queue_entry *entry, const struct order_set *domains);
/* Bits of enum queue_state. */
unsigned queue_entry_states(
    struct queue_entry *entry, const struct queue_entry_rules *rules);
/* True if an address of a recipient matches, or the domain of one. */
bool queue_entry_matches_recipient(
    const struct queue_entry *entry, struct span pattern);
bool queue_entry_matches_host(
    const struct queue_entry *entry, struct span pattern);

/* Appends a line, and one for each recipient, much as qmail-qread has them. */
void queue_entry_append_text(struct str *to, struct queue_entry *entry,
    const struct queue_entry_rules *rules);
/* Appends one line with a JSON object (RFC 8259). Bytes that are no UTF-8
   become U+FFFD. */
void queue_entry_append_json(struct str *to, struct queue_entry *entry,
    const struct queue_entry_rules *rules);

/* A string of JSON with its quotes, as above. */
void queue_json_append(struct str *to, struct span bytes);
/* True if pattern, in which '*' stands for any bytes, is all of text. ASCII
   case does not matter. */
bool queue_pattern_matches(struct span pattern, struct span text);

#endif
