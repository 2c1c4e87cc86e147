/*
 * routes - control/smtproutes and control/qmtproutes: which relay takes the
 *          mail for a domain
 *
 * Lines "domain:relay", "domain:relay:port", ".domain:..." for all below it,
 * ":relay" for everything. A relay is a name, an IPv4 address, or either kind
 * of IP address in brackets. An empty relay means: by MX; in qmtproutes: not
 * by that file. There the port may also follow a semicolon, and is not that of
 * QMTP over TLS. The parser is pure.
 */
#ifndef CONF_ROUTES_H
#define CONF_ROUTES_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "conf/control.h"

enum {
	ROUTES_PORT = 25, /* where no line says otherwise */
	ROUTES_QMTP_PORT = 209,
	ROUTES_QMTPS_PORT = 6209, /* TLS from the first byte: not ours */
};

struct route {
	struct span relay; /* brackets included; empty: by MX */
	unsigned port;     /* 1 to 65535 */
};

/*
 * Reads what follows the key: "", "relay", "relay:port", "[ip]:port". Returns
 * 0 and fills *route, whose relay lies in value; or -1 if it makes no sense.
 */
MUST_USE int route_parse(struct span value, struct route *route);

/*
 * Looks up domain in table. The whole domain goes first, then each suffix that
 * starts with a dot, then the empty key; the first key found decides. Without
 * one *route is by MX at port 25. Returns 0, or -1 if the line makes no sense.
 */
MUST_USE int route_find(
    const struct control_table *table, struct span domain, struct route *route);

/* The same for a value of control/qmtproutes, also "relay;port". */
MUST_USE int route_parse_qmtp(struct span value, struct route *route);

/* Looks up domain in control/qmtproutes. 1 with *route, 0 if there is no line
   or its relay is empty, -1 if it makes no sense. */
MUST_USE int route_find_qmtp(
    const struct control_table *table, struct span domain, struct route *route);

#endif
