/*
 * queue_link - qmail-send's side of run/control.sock
 *
 * Learns of new messages and reports what became of them. Requests are kept
 * until qmail-queued says that they are durable; after a lost connection, or
 * with a new qmail-queued, the rest is sent again: they are idempotent. It
 * tries to connect for ever. Never waits: all is done by queue_link_next and
 * queue_link_flush, which the loop calls.
 * Requests are numbered from 1 through the life of the process (modulo 2^32).
 */
#ifndef SEND_QUEUE_LINK_H
#define SEND_QUEUE_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	QUEUE_LINK_BUFFER_MAX = 16 * 1024 * 1024, /* see queue_link_is_full */
	QUEUE_LINK_ANSWER_MS = 60 * 1000,         /* for the answer to S */
	QUEUE_LINK_BACKOFF_MS = 100, /* the first pause; then doubled */
	QUEUE_LINK_BACKOFF_MAX_MS = 5000,
	QUEUE_LINK_SHARED_MAX = 1024, /* bytes of requests in one packet */
};

enum queue_link_event {
	QUEUE_LINK_NONE,
	QUEUE_LINK_UP,      /* subscribed; number: the limit of a scan */
	QUEUE_LINK_RESCAN,  /* notices were dropped; number: the limit */
	QUEUE_LINK_NEW,     /* number: the id of a new message; list: its
			       envelope, or empty: it must be read */
	QUEUE_LINK_BARRIER, /* number: the id that was asked about */
	QUEUE_LINK_ORDERS,  /* list: netstrings, orders that were given; before
			       QUEUE_LINK_UP: some of those that stand */
	QUEUE_LINK_UNDO,    /* list: orders that were taken back */
	QUEUE_LINK_TRY_NOW, /* list: ids to be tried at once; empty: all */
	QUEUE_LINK_LOST,    /* the connection ended, or could not be made: told
			       once until it is up again */
	QUEUE_LINK_REFUSED, /* another qmail-send is subscribed */
};

struct queue_link {
	const char *path;
	int fd; /* or -1 */
	bool subscribed, told_lost, full;
	unsigned connections; /* made since the start */
	char *buffer;         /* of FD_PACKET_MAX bytes */
	struct span list;     /* in buffer: until the next call */
	struct span news;     /* the same: what was not yet returned of it */
	int64_t retry_ms, deadline_ms; /* by clock_mono_ms */
	int64_t backoff_ms;
	struct str requests; /* u32 length and packet, each */
	size_t sent;         /* offset: before it all is sent */
	size_t acked;        /* offset: before it all is durable */
	uint32_t made_count, sent_count, acked_count;
	uint32_t base_count; /* acked_count when the connection began */
};

void queue_link_init(struct queue_link *link, const char *path);
void queue_link_free(struct queue_link *link);

/* Reads one packet, or the next message of a notice of several, or connects if
   it is time. QUEUE_LINK_NONE: nothing more for now. */
enum queue_link_event queue_link_next(
    struct queue_link *link, int64_t now_ms, uint64_t *number);
/* Ends the connection, and makes another: what it said could not be kept. */
void queue_link_restart(struct queue_link *link, int64_t now_ms);
/* Sends what can be sent without waiting. */
void queue_link_flush(struct queue_link *link, int64_t now_ms);
/* What poll shall wait for, 0 if not connected. */
short queue_link_events(const struct queue_link *link);
/* When queue_link_next wants to be called, by clock_mono_ms; 0: never. */
int64_t queue_link_wakes_ms(const struct queue_link *link);

/* Each returns the number of the request. */
uint32_t queue_link_delivered(
    struct queue_link *link, uint64_t id, uint64_t index);
uint32_t queue_link_failed(
    struct queue_link *link, uint64_t id, uint64_t index, struct span text);
uint32_t queue_link_retire(struct queue_link *link, uint64_t id);
/* Not a request: it is not repeated after QUEUE_LINK_UP. */
void queue_link_barrier(struct queue_link *link, uint64_t id);

bool queue_link_is_durable(const struct queue_link *link, uint32_t request);
bool queue_link_is_idle(const struct queue_link *link); /* all is durable */
/* So much is not acknowledged that no further work should be started. */
bool queue_link_is_full(const struct queue_link *link);

#endif
