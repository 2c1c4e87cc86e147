/*
 * peer - what tcpserver says about the client, and what it may do
 *
 * Read from the environment (tcp-environ(5)): TCPREMOTEHOST, TCPREMOTEIP,
 * TCPREMOTEINFO, TCPLOCALHOST, TCPLOCALIP, RELAYCLIENT, DATABYTES; if PROTO is
 * TCP6, the TCP6... twins stand in for those that are not there. The strings
 * stay the environment's.
 */
#ifndef ACCEPT_PEER_H
#define ACCEPT_PEER_H

#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "mail/received.h"

struct peer {
	const char *host, *ip;  /* "unknown" if nobody said */
	const char *info;       /* or NULL */
	const char *local_host; /* its address if it has no name */
	const char *relay;      /* RELAYCLIENT: may relay; or NULL */
};

void peer_load(struct peer *peer);

/*
 * The largest message, in bytes as stored, or 0 for no limit: DATABYTES
 * (without digits: 0), else control/databytes. Returns 0, or -1 with errno.
 */
MUST_USE int peer_load_databytes(uint64_t *bytes);

/* Appends the trace line. helo_or_null: the argument of HELO, if any came. */
void peer_append_received(const struct peer *peer, struct str *to,
    const struct span *helo_or_null, const char *protocol);

#endif
