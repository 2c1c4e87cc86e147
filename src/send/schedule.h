/*
 * schedule - every message in the queue, and when it is due
 *
 * A table by id and three heaps by due time: one a channel, and one for
 * errands (an envelope to be read again, a bounce to be sent again). Millions
 * may wait, so a message takes 24 bytes, 5 to 11 for its place in the table and
 * 9 in each heap that it is in. Times are seconds since 1970, and beyond the
 * year 6324 that year. Pure: it knows no files. Memory that runs out in a heap
 * ends the process: all of it is read again from the queue.
 */
#ifndef SEND_SCHEDULE_H
#define SEND_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "conf/classify.h"

enum schedule_heap {
	SCHEDULE_LOCAL = CHANNEL_LOCAL,
	SCHEDULE_REMOTE = CHANNEL_REMOTE,
	SCHEDULE_ERRAND,
	SCHEDULE_HEAPS,
};

enum {
	SCHEDULE_FRESH_S = 400,   /* after a restart: younger is due at once */
	SCHEDULE_TROUBLE_S = 123, /* pause after trouble with the system */
};

struct message {
	uint64_t id;
	uint32_t place[SCHEDULE_HEAPS]; /* in the heap, from 1; 0: not in it */
	uint8_t todo;      /* a bit a channel: recipients remain there */
	uint8_t active;    /* likewise: a pass is under way there */
	uint8_t settling;  /* how often it is in struct settling */
	bool unread : 1;   /* its envelope is still to be read */
	bool silent : 1;   /* found by the first scan: no log */
	bool missing : 1;  /* its envelope was not there once */
	bool failed : 1;   /* a recipient failed for good */
	bool bouncing : 1; /* only its bounce remains */
	bool held : 1;     /* some recipients are, by an order */
	bool bounce : 1;   /* its sender is empty */
};

struct schedule {
	struct message **chunks;
	size_t chunk_count;
	uint32_t free_list; /* index from 1, linked through place[0] */
	uint32_t *hash;
	size_t hash_size, count;
	struct {
		uint64_t *items; /* from items[1] on: due time and message */
		size_t count, size;
	} heaps[SCHEDULE_HEAPS];
};

#define SCHEDULE_INIT                                                          \
	{                                                                      \
		NULL, 0, 0, NULL, 0, 0,                                        \
		{                                                              \
			{NULL, 0, 0}, {NULL, 0, 0},                            \
			{                                                      \
				NULL, 0, 0                                     \
			}                                                      \
		}                                                              \
	}

void schedule_free(struct schedule *schedule);

/* Adds a message that is not in the table and due nowhere. NULL: no memory. */
MUST_USE struct message *schedule_add(struct schedule *schedule, uint64_t id);
struct message *schedule_find(const struct schedule *schedule, uint64_t id);
void schedule_remove(struct schedule *schedule, struct message *message);

bool message_is_todo(const struct message *message, enum channel_kind channel);
void message_set_todo(
    struct message *message, enum channel_kind channel, bool todo);
bool message_is_active(
    const struct message *message, enum channel_kind channel);
void message_set_active(
    struct message *message, enum channel_kind channel, bool active);

/* Puts the message into that heap, or moves it there. */
void schedule_set_due(struct schedule *schedule, struct message *message,
    enum schedule_heap heap, int64_t due_s);
void schedule_unset(struct schedule *schedule, struct message *message,
    enum schedule_heap heap);
/* When a message is due in a heap that it is in. */
int64_t schedule_due(const struct schedule *schedule,
    const struct message *message, enum schedule_heap heap);
/* The message that is due first there, or NULL. */
struct message *schedule_first(
    const struct schedule *schedule, enum schedule_heap heap);

/* All are due now; they are taken as fast as there is room for passes. */
void schedule_flush(struct schedule *schedule, int64_t now_s);
/* An order that held more than one message does so no more: those that wait
   for that are due, as above. */
void schedule_release(struct schedule *schedule, int64_t now_s);
/* True if the message waits there for nothing but the end of such an order. */
bool schedule_is_held(const struct message *message, enum schedule_heap heap);
/* The clock was set back by so many seconds. */
void schedule_shift(struct schedule *schedule, int64_t back_s);

/*
 * When a message is tried again if a pass starts now: the time since birth at
 * which it will be tried grows as the squares of skip, 2 skip, 3 skip, with
 * skip 10 for local and 20 for remote. A birth in the future counts as now.
 */
int64_t schedule_next(
    int64_t birth_s, int64_t now_s, enum channel_kind channel);
/* When a message is due that the first scan found: a young one at once, any
   other at the first of its times that is not over. */
int64_t schedule_resume(
    int64_t birth_s, int64_t now_s, enum channel_kind channel);

#endif
