/* orders as lines, in their set, and in their file */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/pack.h"
#include "mail/order_set.h"

static const struct row {
	const char *what, *input, *want; /* want NULL: not an order */
} lines[] = {
    {"a held message", "5 hold message 17", "5 hold message 17"},
    {"a domain becomes lower case", "5 hold domain Ex.ORG",
	"5 hold domain ex.org"},
    {"a domain and all below it", "0 hold domain .org", "0 hold domain .org"},
    {"a channel", "1 hold channel local", "1 hold channel local"},
    {"the other channel", "1 hold channel remote", "1 hold channel remote"},
    {"no such channel", "1 hold channel both", NULL},
    {"an import keeps its case", "1 hold import Key", "1 hold import Key"},
    {"a message to give up", "1 expire 4", "1 expire 4"},
    {"a message to drop", "1 remove 4", "1 remove 4"},
    {"no message has the number 0", "1 remove 0", NULL},
    {"a number that is too large", "1 remove 18446744073709551616", NULL},
    {"bytes behind the number", "1 remove 4 ", NULL},
    {"no time", "remove 4", NULL},
    {"no word", "1 ", NULL},
    {"no argument", "1 hold domain ", NULL},
    {"an unknown word", "1 keep 4", NULL},
    {"a space in a domain", "1 hold domain a b", NULL},
    {"a control character", "1 hold domain a\tb", NULL},
    {"nothing", "", NULL},
};

static void
lines_are_read_and_written(void **state)
{
	struct str text = STR_INIT;
	struct order order;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		int result = order_parse(span_of(lines[i].input), &order);

		if ((result == 0) != (lines[i].want != NULL))
			fail_msg("%s", lines[i].what);
		if (result == -1)
			continue;
		str_clear(&text);
		order_append(&text, &order);
		if (!span_is(str_span(&text), lines[i].want))
			fail_msg("%s: %s", lines[i].what, text.s);
	}
	str_free(&text);
}

static int
add(struct order_set *set, const char *line)
{
	struct order order;

	assert_int_equal(order_parse(span_of(line), &order), 0);
	return order_set_add(set, &order);
}

static bool
take_away(struct order_set *set, const char *line)
{
	struct order order;

	assert_int_equal(order_parse(span_of(line), &order), 0);
	return order_set_remove(set, &order);
}

static void
recipients_are_found_by_domain(void **state)
{
	static const struct {
		const char *address;
		bool held;
	} rows[] = {
	    {"a@ex.org", true},
	    {"a@EX.ORG", true},
	    {"a@b@ex.org", true},
	    {"ex.org@b", false},
	    {"a@sub.ex.org", false},
	    {"a@net", false},
	    {"a@x.net", true},
	    {"a@y.x.net", true},
	    {"a@xnet", false},
	    {"ex.org", false},
	    {"a@", false},
	    {"", false},
	};
	struct order_set set = ORDER_SET_INIT;

	(void)state;
	assert_false(order_set_holds_recipient(&set, span_of("a@ex.org")));
	assert_int_equal(add(&set, "1 hold domain eX.org"), 1);
	assert_int_equal(add(&set, "2 hold domain Ex.org"), 0);
	assert_int_equal(add(&set, "1 hold domain .net"), 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (order_set_holds_recipient(&set, span_of(rows[i].address)) !=
		    rows[i].held)
			fail_msg("%s", rows[i].address);
	}
	assert_true(take_away(&set, "9 hold domain EX.org"));
	assert_false(take_away(&set, "9 hold domain EX.org"));
	assert_false(order_set_holds_recipient(&set, span_of("a@ex.org")));
	order_set_free(&set);
}

static void
origins_are_held_by_their_key(void **state)
{
	struct order_set set = ORDER_SET_INIT;

	(void)state;
	assert_int_equal(add(&set, "1 hold import k1"), 1);
	assert_true(order_set_holds_import(&set, span_of("k1/4711")));
	assert_true(order_set_holds_import(&set, span_of("k1")));
	assert_false(order_set_holds_import(&set, span_of("k2/k1")));
	assert_false(order_set_holds_import(&set, span_of("")));
	assert_int_equal(add(&set, "1 hold channel remote"), 1);
	assert_true(order_set_holds_channel(&set, "remote"));
	assert_false(order_set_holds_channel(&set, "local"));
	order_set_free(&set);
}

/* Against a plain array: thousands of changes, in an order of their own. */
static void
many_orders_come_and_go(void **state)
{
	enum {
		IDS = 500,
		STEPS = 20000
	};
	static bool there[IDS + 1];
	struct order_set set = ORDER_SET_INIT;
	uint64_t seed = 7, number, last = 0;
	size_t count = 0, seen = 0;

	(void)state;
	for (int i = 0; i < STEPS; i++) {
		struct order order = {.kind = ORDER_EXPIRE};

		seed = seed * UINT64_C(6364136223846793005) + 1;
		order.id = (seed >> 33) % IDS + 1;
		assert_int_equal(
		    order_set_has_message(&set, ORDER_EXPIRE, order.id),
		    there[order.id]);
		assert_false(
		    order_set_has_message(&set, ORDER_REMOVE, order.id));
		if ((seed >> 60) < 8) {
			assert_int_equal(order_set_add(&set, &order),
			    there[order.id] ? 0 : 1);
			count += there[order.id] ? 0 : 1;
			there[order.id] = true;
		} else {
			assert_int_equal(
			    order_set_forget(&set, order.id), there[order.id]);
			count -= there[order.id] ? 1 : 0;
			there[order.id] = false;
		}
		assert_int_equal(set.count, count);
	}
	number = 0;
	for (const struct order *one;
	     (one = order_set_next(&set, &number)) != NULL; seen++) {
		assert_true(number > last && there[one->id]);
		last = number;
	}
	assert_int_equal(seen, count);
	assert_true(set.used <= 4 * IDS);
	order_set_free(&set);
}

static void
a_set_has_a_limit(void **state)
{
	struct order_set set = ORDER_SET_INIT;
	struct order order = {.kind = ORDER_HOLD_MESSAGE};

	(void)state;
	for (order.id = 1; order.id <= ORDER_SET_MAX; order.id++)
		assert_int_equal(order_set_add(&set, &order), 1);
	assert_int_equal(order_set_add(&set, &order), -1);
	order.id = 1;
	assert_int_equal(order_set_add(&set, &order), 0);
	order_set_free(&set);
}

static void
the_file_comes_back(void **state)
{
	struct order_set set = ORDER_SET_INIT, again = ORDER_SET_INIT;
	struct str text = STR_INIT, second = STR_INIT;

	(void)state;
	order_set_write(&set, &text);
	assert_string_equal(text.s, "end 00000000\n");
	assert_int_equal(order_set_read(&again, str_span(&text)), 0);
	assert_int_equal(add(&set, "1 hold domain ex.org"), 1);
	assert_int_equal(add(&set, "2 remove 9"), 1);
	assert_int_equal(add(&set, "3 expire 9"), 1);
	assert_int_equal(add(&set, "3 hold message 9"), 1);
	assert_true(take_away(&set, "0 expire 9"));
	str_clear(&text);
	order_set_write(&set, &text);
	assert_int_equal(order_set_read(&again, str_span(&text)), 0);
	order_set_write(&again, &second);
	assert_string_equal(text.s, second.s);
	order_set_free(&again);
	order_set_free(&set);

	/* damaged: what holds still holds, the rest is not believed */
	text.s[0] = '7';
	assert_int_equal(order_set_read(&again, str_span(&text)), -1);
	assert_int_equal(again.count, 2);
	assert_true(order_set_has_message(&again, ORDER_HOLD_MESSAGE, 9));
	assert_true(order_set_holds_recipient(&again, span_of("a@ex.org")));
	order_set_free(&again);
	/* every cut is noticed */
	text.s[0] = '1';
	for (size_t len = 0; len < text.len; len++) {
		assert_int_equal(
		    order_set_read(&again, (struct span){text.s, len}), -1);
		assert_false(order_set_has_message(&again, ORDER_REMOVE, 9));
		order_set_free(&again);
	}
	assert_int_equal(order_set_read(&again, str_span(&text)), 0);
	order_set_free(&again);
	str_free(&text);
	str_free(&second);
}

static void
a_line_that_is_none_is_damage(void **state)
{
	struct order_set set = ORDER_SET_INIT;
	struct str text = STR_INIT;

	(void)state;
	str_append_cstr(
	    &text, "1 remove 9\n1 hold message 9\n1 no such order\n");
	str_append_format(&text, "end %08x\n", crc32c(0, text.s, text.len));
	assert_int_equal(order_set_read(&set, str_span(&text)), -1);
	assert_int_equal(set.count, 1);
	assert_true(order_set_has_message(&set, ORDER_HOLD_MESSAGE, 9));
	order_set_free(&set);
	str_free(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_that_is_none_is_damage),
	    cmocka_unit_test(lines_are_read_and_written),
	    cmocka_unit_test(recipients_are_found_by_domain),
	    cmocka_unit_test(origins_are_held_by_their_key),
	    cmocka_unit_test(many_orders_come_and_go),
	    cmocka_unit_test(a_set_has_a_limit),
	    cmocka_unit_test(the_file_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
