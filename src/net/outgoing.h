/*
 * outgoing - the own addresses that connections to others leave from
 *            (control/outgoingip)
 *
 * One for IPv4 and one for IPv6; without one the system chooses. 0.0.0.0 and
 * :: are none.
 */
#ifndef NET_OUTGOING_H
#define NET_OUTGOING_H

#include "base/attr.h"
#include "base/span.h"
#include "net/ip.h"

struct outgoing {
	struct ip four, six; /* version 0: none */
};

#define OUTGOING_INIT                                                          \
	{                                                                      \
		.four = {.version = 0 }                                        \
	}

/* Takes one line; of each kind the first counts. 0, or -1 if it is no IP
   address, bare or in brackets. */
MUST_USE int outgoing_add(struct outgoing *outgoing, struct span line);
/* As connect_tcp of net/connect.h. */
MUST_USE int outgoing_connect(const struct outgoing *outgoing,
    const struct ip *ip, unsigned port, unsigned timeout_s);

#endif
