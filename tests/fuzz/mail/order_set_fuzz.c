/* any bytes as queue/orders: what was read is written and read the same */
#include <stdlib.h>

#include "mail/order_set.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = {(const char *)data, size};
	struct order_set set = ORDER_SET_INIT, again = ORDER_SET_INIT;
	struct str text = STR_INIT, second = STR_INIT;
	struct order order;
	uint64_t number = 0;

	if (order_set_read(&set, bytes) == -2)
		abort();
	order_set_write(&set, &text);
	if (order_set_read(&again, str_span(&text)) != 0)
		abort();
	order_set_write(&again, &second);
	if (!span_equal(str_span(&text), str_span(&second)))
		abort();
	(void)order_set_holds_recipient(&set, bytes);
	(void)order_set_holds_import(&set, bytes);
	/* every second one goes again */
	for (const struct order *one;
	     (one = order_set_next(&set, &number)) != NULL;) {
		order = *one;
		(void)order_set_next(&set, &number);
		if (!order_set_remove(&set, &order) ||
		    order_set_find(
			&set, &(struct order){.kind = ORDER_EXPIRE, .id = 1}) ==
			&order)
			abort();
		if (set.of_kind[order.kind] > set.count)
			abort();
	}
	if (order_parse(bytes, &order) == 0 && order.key.len > ORDER_KEY_MAX)
		abort();
	order_set_free(&set);
	order_set_free(&again);
	str_free(&text);
	str_free(&second);
	return 0;
}
