#include "mail/order.h"

#include "base/num.h"

static const char *const words[ORDER_KINDS] = {
    [ORDER_HOLD_MESSAGE] = "hold message ",
    [ORDER_EXPIRE] = "expire ",
    [ORDER_REMOVE] = "remove ",
    [ORDER_HOLD_DOMAIN] = "hold domain ",
    [ORDER_HOLD_CHANNEL] = "hold channel ",
    [ORDER_HOLD_IMPORT] = "hold import ",
};

void
order_append(struct str *to, const struct order *order)
{
	str_append_u64(to, order->when_s);
	str_append_char(to, ' ');
	str_append_cstr(to, words[order->kind]);
	if (order->kind <= ORDER_OF_MESSAGE)
		str_append_u64(to, order->id);
	for (size_t i = 0; i < order->key.len; i++)
		str_append_char(to,
		    order->kind == ORDER_HOLD_DOMAIN
			? span_lower(order->key.s[i])
			: order->key.s[i]);
}

static bool
is_key(enum order_kind kind, struct span key)
{
	if (key.len == 0 || key.len > ORDER_KEY_MAX)
		return false;
	for (size_t i = 0; i < key.len; i++) {
		unsigned char byte = (unsigned char)key.s[i];

		if (byte <= ' ' || byte == 127)
			return false;
	}
	return kind != ORDER_HOLD_CHANNEL || span_is(key, "local") ||
	    span_is(key, "remote");
}

int
order_parse(struct span line, struct order *order)
{
	size_t space = span_find(line, ' ');
	uint64_t when_s;

	if (line.len > ORDER_LINE_MAX || space == SPAN_NONE ||
	    num_parse_u64(span_until(line, space), &when_s) == -1)
		return -1;
	line = span_from(line, space + 1);
	for (int i = 0; i < ORDER_KINDS; i++) {
		struct span word = span_of(words[i]), value;

		if (line.len < word.len ||
		    !span_equal(span_until(line, word.len), word))
			continue;
		value = span_from(line, word.len);
		*order = (struct order){.kind = (enum order_kind)i,
		    .when_s = when_s,
		    .key = {"", 0}};
		if (i <= ORDER_OF_MESSAGE)
			return num_parse_u64(value, &order->id) == 0 &&
				order->id > 0
			    ? 0
			    : -1;
		order->key = value;
		return is_key(order->kind, value) ? 0 : -1;
	}
	return -1;
}
