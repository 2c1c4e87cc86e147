/*
 * control_door - the other end of control.sock: qmail-send, administrators
 *
 * Requests and notices of doc/ARCHITECTURE.md, one packet each. The one
 * subscriber is told of new messages and of orders. If it reads too slowly it
 * gets no more notices of messages until it reads again, and then one "L" for
 * all of them; what is kept for it are a few flags, the barriers that it waits
 * for, the number of the last order that it was told, and the latest changes
 * of orders; if these become too many it is dropped, and learns all orders
 * again when it is back. A peer has one answer under way at a time.
 */
#ifndef QUEUE_CONTROL_DOOR_H
#define QUEUE_CONTROL_DOOR_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "queue/control_peer.h"
#include "queue/control_request.h"
#include "queue/ledger.h"
#include "queue/orders.h"

enum {
	CONTROL_DOOR_PEERS = 32,
	CONTROL_DOOR_ITEMS = CONTROL_DOOR_PEERS + 1,
};

struct control_door {
	int listener;
	struct ledger *ledger;
	struct orders *orders;
	struct control_peer peers[CONTROL_DOOR_PEERS];
	uint64_t clock; /* packets, for seen */
	char *buffer;
	struct str packet, lines; /* scratch */
	struct str news; /* a notice of what was committed, not yet sent */
	uint64_t *ended; /* messages with orders, until the commit */
	size_t ended_count, ended_room;
	bool failed; /* the process must end: a file could not be read, or
			nobody knows what the disk holds */
};

MUST_USE int control_door_open(struct control_door *door, int listener,
    struct ledger *ledger, struct orders *orders);
/* Fills CONTROL_DOOR_ITEMS items. */
void control_door_poll(const struct control_door *door, struct pollfd *items);
void control_door_serve(struct control_door *door, const struct pollfd *items);
/* True if somebody waits for a commit. */
bool control_door_is_urgent(const struct control_door *door);
/* A message was committed: told, with others, by control_door_committed. env:
   its envelope, or empty. */
void control_door_announce(
    struct control_door *door, uint64_t id, struct span env);
/* All that was requested is durable and applied. */
void control_door_committed(struct control_door *door, int64_t now_ms);
/* Answers a subscription once no removed message can be seen any more. */
void control_door_welcome(struct control_door *door);
void control_door_free(struct control_door *door);

#endif
