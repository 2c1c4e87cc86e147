/* netstring: one spelling, no size that wraps, nothing beyond the end */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mail/netstring.h"

static const struct {
	const char *what;
	struct span in;
	size_t max;
	ssize_t want;
	const char *body;
} rows[] = {
    {"a word", {"5:hello,", 8}, 100, 8, "hello"},
    {"nothing", {"0:,", 3}, 100, 3, ""},
    {"more behind it", {"1:a,2:", 6}, 100, 4, "a"},
    {"exactly the maximum", {"5:hello,", 8}, 5, 8, "hello"},
    {"over the maximum", {"6:", 2}, 5, NETSTRING_TOO_BIG, NULL},
    {"over it before its colon", {"10", 2}, 9, NETSTRING_TOO_BIG, NULL},
    {"a maximum of 0", {"0:,", 3}, 0, 3, ""},
    {"a size that would wrap", {"184467440737095516161:", 22}, 1000,
	NETSTRING_TOO_BIG, NULL},
    {"no byte yet", {"", 0}, 100, NETSTRING_MORE, NULL},
    {"only digits yet", {"12", 2}, 100, NETSTRING_MORE, NULL},
    {"only zero yet", {"0", 1}, 100, NETSTRING_MORE, NULL},
    {"the payload is not whole", {"5:hell", 6}, 100, NETSTRING_MORE, NULL},
    {"the comma is missing yet", {"5:hello", 7}, 100, NETSTRING_MORE, NULL},
    {"another byte in place of the comma", {"5:hello;", 8}, 100,
	NETSTRING_INVALID, NULL},
    {"a leading zero", {"05:hello,", 9}, 100, NETSTRING_INVALID, NULL},
    {"two zeros", {"00:,", 4}, 100, NETSTRING_INVALID, NULL},
    {"no digits", {":,", 2}, 100, NETSTRING_INVALID, NULL},
    {"a space", {" 1:a,", 5}, 100, NETSTRING_INVALID, NULL},
    {"a sign", {"+1:a,", 5}, 100, NETSTRING_INVALID, NULL},
    {"a minus", {"-1:a,", 5}, 100, NETSTRING_INVALID, NULL},
    {"another byte in place of the colon", {"1;a,", 4}, 100, NETSTRING_INVALID,
	NULL},
};

static void
test_decoding(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span body = {"kept", 4};
		/* a block of exactly that size: a read past it shows */
		char *copy = malloc(rows[i].in.len ? rows[i].in.len : 1);
		ssize_t got;

		assert_non_null(copy);
		memcpy(copy, rows[i].in.s, rows[i].in.len);
		got =
		    netstring_decode(copy, rows[i].in.len, rows[i].max, &body);
		if (got != rows[i].want ||
		    !span_is(body, rows[i].body ? rows[i].body : "kept"))
			fail_msg("%s: %zd", rows[i].what, got);
		free(copy);
	}
}

static void
test_taking(void **state)
{
	struct span rest = SPAN_LITERAL("1:a,3:b\0c,2:17,1:x,9:short,"), body;
	uint64_t number = 5;

	(void)state;
	assert_int_equal(netstring_take(&rest, &body), 0);
	assert_true(span_is(body, "a"));
	assert_int_equal(netstring_take(&rest, &body), 0);
	assert_true(span_equal(body, SPAN_LITERAL("b\0c")));
	assert_int_equal(netstring_take_u64(&rest, &number), 0);
	assert_true(number == 17);
	assert_int_equal(netstring_take_u64(&rest, &number), -1);
	assert_true(number == 17);
	assert_int_equal(netstring_take(&rest, &body), -1);
	assert_true(span_is(rest, "9:short,"));
	rest.len = 0;
	assert_int_equal(netstring_take(&rest, &body), -1);
}

static void
test_there_and_back(void **state)
{
	struct str packet = STR_INIT, part = STR_INIT;
	struct span rest, body;
	uint64_t number;

	(void)state;
	for (size_t len = 0; len < 1200; len += 13) {
		while (part.len < len)
			str_append_char(&part, (char)part.len);
		netstring_append(&packet, str_span(&part));
		netstring_append_u64(&packet, len);
	}
	netstring_append_u64(&packet, UINT64_MAX);
	rest = str_span(&packet);
	for (size_t len = 0; len < 1200; len += 13) {
		assert_int_equal(netstring_take(&rest, &body), 0);
		assert_int_equal(body.len, len);
		assert_memory_equal(body.s, part.s, len);
		assert_int_equal(netstring_take_u64(&rest, &number), 0);
		assert_true(number == len);
	}
	assert_int_equal(netstring_take_u64(&rest, &number), 0);
	assert_true(number == UINT64_MAX);
	assert_int_equal(rest.len, 0);
	str_free(&packet);
	str_free(&part);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_decoding),
	    cmocka_unit_test(test_taking),
	    cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
