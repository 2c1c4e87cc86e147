/* one order as a line: what is read is within its limits and, written, is read
   as the same order */
#include "../fuzz.h"

#include "mail/order.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = {(const char *)data, size};
	struct str text = STR_INIT;
	struct order order, again;

	if (order_parse(line, &order) == -1)
		return 0;
	require(size <= ORDER_LINE_MAX && order.kind < ORDER_KINDS);
	require((order.id != 0) == (order.kind <= ORDER_OF_MESSAGE));
	require((order.key.len != 0) == (order.kind > ORDER_OF_MESSAGE));
	require(order.key.len <= ORDER_KEY_MAX);
	order_append(&text, &order);
	require(text.len <= size);
	require(span_find(str_span(&text), '\n') == SPAN_NONE);
	require(order_parse(str_span(&text), &again) == 0);
	require(again.kind == order.kind && again.when_s == order.when_s &&
	    again.id == order.id && span_equal_nocase(again.key, order.key));
	str_free(&text);
	return 0;
}
