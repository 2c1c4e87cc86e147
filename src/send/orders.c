#include "send/orders.h"

void
orders_begin(struct orders *orders)
{
	order_set_free(&orders->next);
}

int
orders_expect(struct orders *orders, struct span line)
{
	struct order order;

	if (order_parse(line, &order) == -1)
		return -1;
	return order_set_add(&orders->next, &order) == -1 ? -1 : 0;
}

void
orders_unexpect(struct orders *orders, struct span line)
{
	struct order order;

	if (order_parse(line, &order) == 0)
		(void)order_set_remove(&orders->next, &order);
}

/* True if there is an order in a that is not in b. */
static bool
has_more(const struct order_set *a, const struct order_set *b)
{
	const struct order *order;
	uint64_t number = 0;

	while ((order = order_set_next(a, &number)) != NULL) {
		if (order_set_find(b, order) == NULL)
			return true;
	}
	return false;
}

static void
release(struct orders *orders)
{
	orders->released = true;
	orders->releases++;
}

void
orders_complete(struct orders *orders)
{
	if (has_more(&orders->next, &orders->set))
		orders->added = true;
	if (has_more(&orders->set, &orders->next))
		release(orders);
	order_set_free(&orders->set);
	orders->set = orders->next;
	orders->next = (struct order_set)ORDER_SET_INIT;
}

int
orders_add(struct orders *orders, struct span line, struct order *order)
{
	if (order_parse(line, order) == -1 ||
	    order_set_add(&orders->set, order) == -1)
		return -1;
	orders->added = true;
	return 0;
}

int
orders_remove(struct orders *orders, struct span line, struct order *order)
{
	if (order_parse(line, order) == -1)
		return -1;
	if (order_set_remove(&orders->set, order) &&
	    order->kind > ORDER_OF_MESSAGE)
		release(orders);
	return 0;
}

void
orders_free(struct orders *orders)
{
	order_set_free(&orders->set);
	order_set_free(&orders->next);
}

enum orders_fate
orders_fate_of(const struct orders *orders, uint64_t id)
{
	if (order_set_has_message(&orders->set, ORDER_REMOVE, id))
		return ORDERS_REMOVE;
	return order_set_has_message(&orders->set, ORDER_EXPIRE, id)
	    ? ORDERS_EXPIRE
	    : ORDERS_LIVE;
}

bool
orders_hold(const struct orders *orders, uint64_t id, enum channel_kind channel)
{
	return order_set_has_message(&orders->set, ORDER_HOLD_MESSAGE, id) ||
	    order_set_holds_channel(
		&orders->set, channel == CHANNEL_LOCAL ? "local" : "remote");
}
