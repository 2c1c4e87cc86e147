/*
 * control_door - the other end of control.sock: qmail-send
 *
 * Requests and notices of doc/ARCHITECTURE.md, one packet each. Whoever reads
 * too slowly gets no more notices until it reads again, and then one "L" for
 * all of them; so nothing is kept for it but a few flags and the barriers it
 * waits for.
 */
#ifndef QUEUE_CONTROL_DOOR_H
#define QUEUE_CONTROL_DOOR_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "queue/ledger.h"

enum {
	CONTROL_DOOR_PEERS = 8,
	CONTROL_DOOR_BARRIERS = 64, /* unanswered, of one peer */
	CONTROL_DOOR_ITEMS = CONTROL_DOOR_PEERS + 1,
};

enum control_kind {
	CONTROL_SUBSCRIBE,
	CONTROL_DONE,
	CONTROL_FAILED,
	CONTROL_RETIRE,
	CONTROL_BARRIER,
};

struct control_request {
	enum control_kind kind;
	uint64_t id, index;
	struct span text; /* borrowed from the packet */
};

/* 0, or -1 if the packet is no request. Pure. */
MUST_USE int control_request_decode(
    struct span packet, struct control_request *request);

struct control_peer {
	int fd; /* -1: nobody */
	enum {
		PEER_NEW,
		PEER_ASKING, /* subscribed, but not told so yet */
		PEER_LISTENING,
	} state;
	bool blocked;                  /* it does not read what we send */
	bool behind;                   /* it missed notices */
	uint64_t heard, durable, told; /* requests */
	uint64_t barriers[CONTROL_DOOR_BARRIERS];
	size_t barrier_count;
	size_t barriers_due; /* so many of them can be answered */
};

struct control_door {
	int listener;
	struct ledger *ledger;
	struct control_peer peers[CONTROL_DOOR_PEERS];
	char *buffer;
	bool failed; /* a file could not be read: the process must end */
};

MUST_USE int control_door_open(
    struct control_door *door, int listener, struct ledger *ledger);
/* Fills CONTROL_DOOR_ITEMS items. */
void control_door_poll(const struct control_door *door, struct pollfd *items);
void control_door_serve(struct control_door *door, const struct pollfd *items);
/* True if somebody waits for a commit. */
bool control_door_is_urgent(const struct control_door *door);
/* A message was committed. */
void control_door_announce(struct control_door *door, uint64_t id);
/* All that was requested is durable and applied. */
void control_door_committed(struct control_door *door);
/* Answers a subscription once no removed message can be seen any more. */
void control_door_welcome(struct control_door *door);
void control_door_free(struct control_door *door);

#endif
