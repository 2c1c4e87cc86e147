/*
 * control_peer - one connection to control.sock, and what it is told
 *
 * Nothing here waits: a peer that does not read is marked as blocked, until
 * poll says that there is room again.
 */
#ifndef QUEUE_CONTROL_PEER_H
#define QUEUE_CONTROL_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/span.h"
#include "base/str.h"
#include "net/packet_queue.h"

enum {
	CONTROL_PEER_BARRIERS = 64,          /* unanswered */
	CONTROL_PEER_KEPT_MAX = 1024 * 1024, /* bytes of packets kept */
};

struct control_peer {
	int fd; /* -1: nobody */
	uid_t uid;
	uint64_t seen; /* when it last spoke, in packets of all peers */
	enum {
		PEER_NEW,    /* an administrator, until it subscribes */
		PEER_ADMIN,  /* it has asked for something else */
		PEER_ASKING, /* subscribed, but not told so yet */
		PEER_LISTENING,
	} state;
	bool blocked;                  /* it does not read what we send */
	bool behind;                   /* it missed notices */
	bool wants_orders;             /* those after told_order */
	uint64_t told_order;           /* number in the set */
	struct packet_queue kept;      /* go out before anything else */
	uint64_t heard, durable, told; /* requests */
	uint64_t barriers[CONTROL_PEER_BARRIERS];
	size_t barrier_count;
	size_t barriers_due; /* so many of them can be answered */
};

/* Closes the connection; its place is free. */
void control_peer_drop(struct control_peer *peer);
/* True if it was sent. Else the peer is blocked, or gone. */
bool control_peer_send(struct control_peer *peer, struct span packet);
/* The same for a letter and a number, or, if it is NULL, a letter. */
bool control_peer_tell(
    struct control_peer *peer, const char *letter, const uint64_t *number);
/* Sends what is kept. While something is, the peer is blocked. */
void control_peer_flush(struct control_peer *peer);
/* Sends a packet that must not be left out, now or when there is room. Who
   lets too many come together is dropped. */
void control_peer_keep(struct control_peer *peer, const struct str *packet);
/* Answers "K", with a letter for each item, and whether qmail-send is there to
   hear of it; or "E" and a text. */
void control_peer_done(
    struct control_peer *peer, struct span results, bool is_heard);
void control_peer_error(struct control_peer *peer, const char *text);

#endif
