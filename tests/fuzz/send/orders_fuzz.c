/*
 * What qmail-queued says of orders, a line each, against a plain list: the
 * first byte of a line says whether it is expected, taken back, added or
 * removed, or whether all were told. The order must stand then or not.
 */
#include "../fuzz.h"

#include "send/orders.h"

static void
check_holds(const struct orders *orders, const struct order *order)
{
	bool there = order_set_find(&orders->set, order) != NULL;

	if (order->kind == ORDER_HOLD_MESSAGE)
		require(!there ||
		    (orders_hold(orders, order->id, CHANNEL_LOCAL) &&
			orders_hold(orders, order->id, CHANNEL_REMOTE)));
	if (order->kind == ORDER_HOLD_CHANNEL && there)
		require(orders_hold(orders, 1,
		    span_is(order->key, "local") ? CHANNEL_LOCAL
						 : CHANNEL_REMOTE));
	if (order->kind == ORDER_REMOVE)
		require(there ==
		    (orders_fate_of(orders, order->id) == ORDERS_REMOVE));
	if (order->kind == ORDER_EXPIRE && there)
		require(orders_fate_of(orders, order->id) != ORDERS_LIVE);
}

static void
obey(struct orders *orders, unsigned char what, struct span line)
{
	struct order order, parsed;
	bool is_order = order_parse(line, &parsed) == 0;
	size_t next;

	switch (what) {
	case 'B':
		orders_begin(orders);
		require(orders->next.count == 0);
		break;
	case 'E':
		require((orders_expect(orders, line) == 0) == is_order);
		require(!is_order ||
		    order_set_find(&orders->next, &parsed) != NULL);
		break;
	case 'e':
		orders_unexpect(orders, line);
		require(!is_order ||
		    order_set_find(&orders->next, &parsed) == NULL);
		break;
	case 'C':
		next = orders->next.count;
		orders_complete(orders);
		require(orders->set.count == next && orders->next.count == 0);
		break;
	case 'A':
		require((orders_add(orders, line, &order) == 0) == is_order);
		if (is_order)
			require(order_set_find(&orders->set, &parsed) != NULL &&
			    orders->added);
		break;
	default:
		require((orders_remove(orders, line, &order) == 0) == is_order);
		require(
		    !is_order || order_set_find(&orders->set, &parsed) == NULL);
	}
	if (is_order)
		check_holds(orders, &parsed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct orders orders = ORDERS_INIT;

	while (input.len > 0) {
		struct span line = fuzz_until(&input, '\n');
		unsigned char what = fuzz_byte(&line);

		obey(&orders, what, line);
	}
	orders_free(&orders);
	return 0;
}
