/*
 * connect - TCP connections with a deadline
 */
#ifndef NET_CONNECT_H
#define NET_CONNECT_H

#include <stdbool.h>

#include "base/attr.h"
#include "net/ip.h"

/*
 * Connects to ip and port within timeout_s seconds (at least one). Returns a
 * non-blocking, close-on-exec socket with TCP_NODELAY set, or -1 with errno
 * (ETIMEDOUT when the time is over).
 */
MUST_USE int connect_tcp(
    const struct ip *ip, unsigned port, unsigned timeout_s);
/* The same, from an own address. */
MUST_USE int connect_tcp_from(const struct ip *from, const struct ip *ip,
    unsigned port, unsigned timeout_s);

/* True if this machine has a route to ip. Sends nothing. */
bool connect_has_route(const struct ip *ip);

#endif
