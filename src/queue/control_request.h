/*
 * control_request - what qmail-send and administrators ask on control.sock
 *
 * Netstring fields; see doc/ARCHITECTURE.md. One packet each, but done, failed
 * and retire may have others behind them in a packet of CONTROL_SHARED_MAX
 * bytes at most: as many as there is always room for. Pure.
 */
#ifndef QUEUE_CONTROL_REQUEST_H
#define QUEUE_CONTROL_REQUEST_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum {
	CONTROL_SHARED_MAX = 1024,
};

enum control_kind {
	CONTROL_SUBSCRIBE,
	CONTROL_DONE,
	CONTROL_FAILED,
	CONTROL_RETIRE,
	CONTROL_BARRIER,
	CONTROL_ORDER,   /* list: orders to be added */
	CONTROL_UNDO,    /* list: orders to be taken away */
	CONTROL_LIST,    /* of all orders */
	CONTROL_TRY_NOW, /* list: ids; empty: all messages */
};

struct control_request {
	enum control_kind kind;
	uint64_t id, index;
	struct span text; /* borrowed from the packet */
	struct span list; /* netstrings, all of them whole; borrowed too */
	struct span rest; /* of the packet: the next request; borrowed too */
};

/* The first request of a packet. 0, or -1 if it begins with none. */
MUST_USE int control_request_decode(
    struct span packet, struct control_request *request);

#endif
