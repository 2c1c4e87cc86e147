/*
 * netstring - length-prefixed bytes, "5:hello,"; any byte may occur, even NUL
 * Source: D. J. Bernstein, "Netstrings", 1997-02-01. Pure: no I/O, no state.
 */
#ifndef MAIL_NETSTRING_H
#define MAIL_NETSTRING_H

#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	NETSTRING_MORE = 0,     /* valid so far: read more, then call again */
	NETSTRING_INVALID = -1, /* no further byte can repair it */
	NETSTRING_TOO_BIG = -2, /* its payload would exceed max bytes */
};

/*
 * Decodes the netstring at the start of buf[0..len). Returns how many bytes it
 * takes and points *body at the payload inside buf; or returns a code above
 * and leaves *body alone. max counts payload bytes, at most SSIZE_MAX / 16.
 */
MUST_USE ssize_t netstring_decode(
    const char *buf, size_t len, size_t max, struct span *body);

/*
 * Takes the netstring at the front of *rest off it. Returns 0 and sets *body,
 * or -1 if *rest does not start with a complete one. For packets that hold
 * all their bytes.
 */
MUST_USE int netstring_take(struct span *rest, struct span *body);
MUST_USE int netstring_take_u64(struct span *rest, uint64_t *number);

void netstring_append(struct str *to, struct span body);
void netstring_append_u64(struct str *to, uint64_t number);

#endif
