/*
 * orders - what administrators have ordered, as qmail-queued says it
 *
 * Before the answer to a subscription come all orders, after it each change.
 * The old ones stand until the new ones are complete. Pure.
 */
#ifndef SEND_ORDERS_H
#define SEND_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "conf/classify.h"
#include "mail/order_set.h"

struct orders {
	struct order_set set;  /* these stand */
	struct order_set next; /* of a subscription that is under way */
	bool added;            /* something was, since it was last made false */
	bool released;         /* a hold of more than one message was */
	unsigned releases;     /* of that kind, counted */
};

#define ORDERS_INIT                                                            \
	{                                                                      \
		ORDER_SET_INIT, ORDER_SET_INIT, false, false, 0                \
	}

/* A subscription begins: what was said of one that failed is forgotten. */
void orders_begin(struct orders *orders);
/* Takes one order of it. 0; -1: no memory, or no order. */
MUST_USE int orders_expect(struct orders *orders, struct span line);
/* The same order was taken back before all were told. */
void orders_unexpect(struct orders *orders, struct span line);
/* All have been told: they stand. */
void orders_complete(struct orders *orders);

/* A change. 0, then *order is what has changed; -1: no memory, or no order. */
MUST_USE int orders_add(
    struct orders *orders, struct span line, struct order *order);
MUST_USE int orders_remove(
    struct orders *orders, struct span line, struct order *order);
void orders_free(struct orders *orders);

/* ---- what they say ------------------------------------------------------ */

enum orders_fate {
	ORDERS_LIVE,
	ORDERS_EXPIRE,
	ORDERS_REMOVE, /* stronger than expire */
};

enum orders_fate orders_fate_of(const struct orders *orders, uint64_t id);
/* True if nothing of the message may be tried there, as far as can be said
   without its envelope. */
bool orders_hold(
    const struct orders *orders, uint64_t id, enum channel_kind channel);

#endif
