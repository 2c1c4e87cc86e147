/*
 * order - what an administrator has ordered of the queue, as one line
 *
 *   TIME hold message ID        it is not tried
 *   TIME hold domain DOMAIN     nobody there is; with a leading dot: nobody
 *                               in any domain that ends so
 *   TIME hold channel local     or remote
 *   TIME hold import KEY        messages whose origin has that key
 *   TIME expire ID              give it up: all that is left fails
 *   TIME remove ID              the same, and tell nobody
 *
 * TIME is when it was ordered, in seconds since 1970. Pure.
 */
#ifndef MAIL_ORDER_H
#define MAIL_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	ORDER_KEY_MAX = 255,  /* bytes of a domain, channel or key */
	ORDER_LINE_MAX = 320, /* bytes of any order */
};

enum order_kind {
	ORDER_HOLD_MESSAGE,
	ORDER_EXPIRE,
	ORDER_REMOVE,
	ORDER_OF_MESSAGE = ORDER_REMOVE, /* up to here: with an id */
	ORDER_HOLD_DOMAIN,
	ORDER_HOLD_CHANNEL,
	ORDER_HOLD_IMPORT,
	ORDER_KINDS
};

struct order {
	enum order_kind kind;
	uint64_t when_s;
	uint64_t id;     /* up to ORDER_OF_MESSAGE; else 0 */
	struct span key; /* of the others; else empty */
};

/* Appends the line, without LF. A domain becomes lower case. */
void order_append(struct str *to, const struct order *order);
/* 0, or -1 if line is not an order; the key is borrowed from it. */
MUST_USE int order_parse(struct span line, struct order *order);

#endif
