/*
 * ident - asks the client's host whose connection it is
 * Source: RFC 1413. Whoever runs that host decides what it says; it proves
 * nothing.
 */
#ifndef ACCEPT_IDENT_H
#define ACCEPT_IDENT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "net/ip.h"

enum {
	IDENT_PORT = 113,
	IDENT_REPLY_MAX = 1000, /* bytes of a reply (RFC 1413 section 4) */
	IDENT_USER_MAX = 512,   /* bytes of a user name (the same) */
};

/* The two ends of a connection that was accepted here. */
struct ident_pair {
	struct ip remote, local;
	unsigned remote_port, local_port;
};

/*
 * Reads a reply line; what follows CR, LF or NUL does not count. True if it
 * names a user of this pair; then *user is replaced by the name, in which
 * all but letters, digits and ._-+@%/=:,[] is '?'.
 */
MUST_USE bool ident_parse(
    struct span reply, const struct ident_pair *pair, struct str *user);
/*
 * Asks. The whole exchange ends within timeout_s seconds (at least one), to
 * the second. True if there is an answer with a user.
 */
MUST_USE bool ident_ask(
    const struct ident_pair *pair, unsigned timeout_s, struct str *user);

#endif
