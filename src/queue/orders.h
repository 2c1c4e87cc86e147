/*
 * orders - the orders of administrators, and queue/orders that keeps them
 *
 * A change is on the disk when orders_store has returned 0. What is about a
 * message vanishes with it; of that the file learns later, since a number is
 * never given twice.
 */
#ifndef QUEUE_ORDERS_H
#define QUEUE_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "mail/order_set.h"

enum {
	ORDERS_LAZY_MS = 60 * 1000, /* how long the file may name the dead */
};

struct orders {
	struct order_set set;
	struct str added, removed; /* since the last store, as lines */
	struct str text;           /* scratch */
	int64_t stale_ms; /* since when the file names what is gone, or 0 */
};

#define ORDERS_INIT                                                            \
	{                                                                      \
		ORDER_SET_INIT, STR_INIT, STR_INIT, STR_INIT, 0                \
	}

/* Reads the file; messages must have been recovered before. A damaged file is
   set aside, and said. 0, or -1 with errno. */
MUST_USE int orders_load(struct orders *orders);
void orders_free(struct orders *orders);

/* Adds a copy. 1; 0 it was there; -1 with errno, as order_set_add. */
MUST_USE int orders_add(struct orders *orders, const struct order *order);
/* True if there was such an order. */
bool orders_remove(struct orders *orders, const struct order *order);
/* Makes the changes since the last call durable. 0; -1 with errno: they are
   undone, and all is as before; -2: nobody knows what the disk holds now, the
   process must end. */
MUST_USE int orders_store(struct orders *orders);

/* The message is over. */
void orders_forget(struct orders *orders, uint64_t id, int64_t now_ms);
/* Brings the file up to date if it has been stale for long. As orders_store. */
MUST_USE int orders_tidy(struct orders *orders, int64_t now_ms);

#endif
