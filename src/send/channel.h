/*
 * channel - the socket to a spawn, the jobs that it has, and the passes that
 *           take turns in giving it more
 *
 * The spawn is believed in nothing but the results of jobs that it has: any
 * other packet is reported and dropped. Never waits, but for the hello.
 */
#ifndef SEND_CHANNEL_H
#define SEND_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "net/job.h"
#include "send/pass.h"

enum {
	CHANNEL_HELLO_MS = 60 * 1000, /* for the first word of a spawn */
	CHANNEL_JOBS_MAX = 10000,     /* at a time, whatever the spawn says */
	CHANNEL_STALL_MS = 1000,      /* pause when the system lacks room */
	CHANNEL_FRESH_TURNS = 3,      /* of new mail, then one of the rest */
};

/* Passes that take turns. */
struct channel_ring {
	struct pass *first, **end;
};

struct channel_recipient {
	uint64_t delivery;  /* its number in the log */
	uint32_t recipient; /* in the pass */
	bool done;
};

struct channel_job {
	uint64_t number; /* 0: the slot is free */
	struct pass *pass;
	struct host *host; /* held, or NULL */
	size_t count, left;
	enum hosts_outcome outcome; /* so far */
	struct channel_recipient *recipients;
};

struct channel {
	enum channel_kind kind;
	int fd;
	bool lost;
	size_t slots;          /* what the spawn takes at a time */
	size_t max;            /* of these we use */
	size_t recipients_max; /* what it takes in one job */
	size_t running;
	struct channel_job *jobs;
	size_t *free_slots;
	size_t free_count;
	uint64_t sequence;
	struct str packet; /* a job that the socket had no room for */
	int packet_fd;     /* its message; -1: there is no such job */
	int64_t retry_ms;  /* then it is sent again; 0: when poll says so */
	char *buf;         /* FD_PACKET_MAX bytes for results */
	struct channel_ring fresh; /* new mail that had no turn yet */
	struct channel_ring ring;  /* the others */
	unsigned fresh_turns;      /* in a row */
	bool is_waiters_turn;      /* at hosts, when it is not new mail's */
	size_t passes, pass_bytes; /* all that exist, in a ring or not */
};

/* Takes fd over and waits for the hello. 0, or -1 if none comes. */
MUST_USE int channel_open(
    struct channel *channel, enum channel_kind kind, int fd);
void channel_limit(struct channel *channel, unsigned long concurrency);
void channel_free(struct channel *channel);

void channel_ring_clear(struct channel_ring *ring);
void channel_ring_push(struct channel_ring *ring, struct pass *pass);
void channel_ring_push_first(struct channel_ring *ring, struct pass *pass);
struct pass *channel_ring_pop(struct channel_ring *ring); /* or NULL */
/* True if the next turn is one of new mail; counts it. */
MUST_USE bool channel_is_fresh_turn(struct channel *channel);

bool channel_can_start(const struct channel *channel);
/* A free job with room for count recipients; channel_can_start was true. */
struct channel_job *channel_new_job(
    struct channel *channel, struct pass *pass, size_t count);
/* Sends the job of which *packet is the encoded form, and closes message.
   0; -1 if the spawn is gone. */
MUST_USE int channel_send(
    struct channel *channel, struct span packet, int message, int64_t now_ms);
/* Tries again what the socket had no room for. 0, -1 as above. */
MUST_USE int channel_flush(struct channel *channel, int64_t now_ms);
void channel_end_job(struct channel *channel, struct channel_job *job);

enum channel_event {
	CHANNEL_NONE,    /* nothing more for now */
	CHANNEL_RESULT,  /* job and result are set; result.text is valid until
			    the next call */
	CHANNEL_MANGLED, /* job and result.index are, the rest makes no sense */
	CHANNEL_GARBAGE, /* a packet that belongs to no job */
	CHANNEL_LOST,
};

struct channel_report {
	struct channel_job *job;
	struct job_result result;
};

enum channel_event channel_next(
    struct channel *channel, struct channel_report *report);

#endif
