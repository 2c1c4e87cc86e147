/*
 * order_set - orders in the sequence in which they were given, found by what
 *             they concern; and the file that they are kept in
 *
 * The file is a line an order, as order.h has it, and a last line "end CRC":
 * CRC-32C of all before it, in 8 lower-case hex digits. Pure.
 */
#ifndef MAIL_ORDER_SET_H
#define MAIL_ORDER_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "mail/order.h"

#define ORDER_FILE "orders" /* in queue/ */

enum {
	ORDER_SET_MAX = 100000,                 /* orders */
	ORDER_SET_BYTES_MAX = 16 * 1024 * 1024, /* of them as lines */
};

struct order_entry {
	uint64_t number; /* grows along the array */
	bool gone;       /* taken away */
	struct order order;
};

struct order_set {
	struct order_entry *entries;
	size_t used, room; /* places in entries, free ones between them too */
	size_t count;      /* orders */
	size_t bytes;      /* of their keys */
	size_t of_kind[ORDER_KINDS];
	uint64_t last; /* number */
	uint32_t *hash;
	size_t hash_size;
};

#define ORDER_SET_INIT                                                         \
	{                                                                      \
		NULL, 0, 0, 0, 0, {0}, 0, NULL, 0                              \
	}

/* Adds a copy. 1; 0 if it is there already; -1 with errno: ENOMEM, or EDQUOT
   if the set is full. A number of its own is used up by each. */
MUST_USE int order_set_add(struct order_set *set, const struct order *order);
/* The order of that kind about the same thing, or NULL. Valid until the next
   change. */
const struct order *order_set_find(
    const struct order_set *set, const struct order *like);
/* Takes it away. True if it was there. */
bool order_set_remove(struct order_set *set, const struct order *like);
/* Takes all orders about a message away. True if there were any. */
bool order_set_forget(struct order_set *set, uint64_t id);
/* The first order with a number above *number, which becomes its; or NULL. */
const struct order *order_set_next(
    const struct order_set *set, uint64_t *number);
void order_set_free(struct order_set *set);

/* ---- questions, answered at once if there is no order of that kind ------- */

bool order_set_has_message(
    const struct order_set *set, enum order_kind kind, uint64_t id);
bool order_set_holds_channel(const struct order_set *set, const char *name);
bool order_set_holds_import(const struct order_set *set, struct span origin);
/* Of the address as it stands in the envelope, after its last '@'. */
bool order_set_holds_recipient(
    const struct order_set *set, struct span recipient);

/* ---- the file ----------------------------------------------------------- */

void order_set_write(const struct order_set *set, struct str *to);
/*
 * Adds what the file holds. 0; -1 if it is damaged: then those lines that can
 * be read and only hold something were taken; -2 for trouble with memory.
 */
MUST_USE int order_set_read(struct order_set *set, struct span file);

#endif
