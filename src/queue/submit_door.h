/*
 * submit_door - the clients of submit.sock, from accept to the answer
 *
 * A client is read until its message is complete, then waits for a sync if the
 * message is large, then for a place in the batch, then for the commit. Only
 * then it gets its one answer.
 */
#ifndef QUEUE_SUBMIT_DOOR_H
#define QUEUE_SUBMIT_DOOR_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "queue/ledger.h"
#include "queue/submission.h"

enum {
	SUBMIT_DOOR_IDLE_S = 3600,   /* without a byte */
	SUBMIT_DOOR_TOTAL_S = 86400, /* for one message */
	SUBMIT_DOOR_CODE_BUSY = 51,
	SUBMIT_DOOR_CODE_FAILED = 53,
	SUBMIT_DOOR_ENV_MAX = 1000, /* bytes of an envelope that is told */
};

struct submit_client;

struct submit_door {
	int listener; /* -1: closed */
	struct ledger *ledger;
	struct submission_rules rules;
	struct submit_client **clients;
	size_t count, max;
	struct submit_client *ready, **ready_end; /* want into the batch */
	struct submit_client *batch, **batch_end; /* are in it */
	int64_t accept_after_ms; /* out of descriptors until then */
	int64_t checked_ms;      /* space and deadlines, once a second */
	uint64_t unchecked;      /* bytes taken in since the space was */
	char *buffer;            /* for reading */
	/* A message is committed: it may be told to others. env: its envelope,
	   or empty if that is large. */
	void (*committed)(void *owner, uint64_t id, struct span env);
	void *owner;
};

/* max: clients at a time. 0, or -1 with errno. */
MUST_USE int submit_door_open(
    struct submit_door *door, int listener, struct ledger *ledger, size_t max);
/* How many items submit_door_poll fills in at most. */
size_t submit_door_poll_max(const struct submit_door *door);
size_t submit_door_poll(
    const struct submit_door *door, struct pollfd *items, int64_t now_ms);
/* Serves what poll found; count items as submit_door_poll filled them. */
void submit_door_serve(struct submit_door *door, const struct pollfd *items,
    size_t count, int64_t now_ms);
/* The sync of tmp/NUMBER is over. */
void submit_door_synced(struct submit_door *door, uint64_t number, bool ok);
/* Puts complete messages into the batch, as far as there is room. */
void submit_door_fill(struct submit_door *door);
bool submit_door_has_ready(const struct submit_door *door);
bool submit_door_has_batch(const struct submit_door *door);
/* The batch is durable: answers those in it. */
void submit_door_committed(struct submit_door *door);
/* Tells everybody whose message is complete that it failed. */
void submit_door_fail(struct submit_door *door);
/* Takes in who is still waiting outside, and closes the listener. */
void submit_door_close(struct submit_door *door, int64_t now_ms);
void submit_door_free(struct submit_door *door);

#endif
