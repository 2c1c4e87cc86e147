/* requests on control.sock */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "queue/control_door.h"
#include "send/queue_link.h"

static void
requests_are_understood(void **state)
{
	struct control_request r;

	(void)state;
	assert_int_equal(control_request_decode(SPAN_LITERAL("1:S,"), &r), 0);
	assert_int_equal(r.kind, CONTROL_SUBSCRIBE);
	assert_int_equal(
	    control_request_decode(SPAN_LITERAL("1:F,2:17,1:4,5:words,"), &r),
	    0);
	assert_true(r.kind == CONTROL_FAILED && r.id == 17 && r.index == 4 &&
	    span_is(r.text, "words"));
	assert_int_equal(
	    control_request_decode(SPAN_LITERAL("1:D,2:17,1:4,"), &r), 0);
	assert_int_equal(
	    control_request_decode(SPAN_LITERAL("1:R,2:17,"), &r), 0);
	assert_int_equal(
	    control_request_decode(SPAN_LITERAL("1:B,1:1,"), &r), 0);
	assert_int_equal(
	    control_request_decode(SPAN_LITERAL("1:D,2:17,"), &r), -1);
	assert_int_equal(
	    control_request_decode(SPAN_LITERAL("1:S,1:1,"), &r), -1);
	assert_int_equal(
	    control_request_decode(SPAN_LITERAL("1:Q,1:1,"), &r), -1);
	assert_int_equal(control_request_decode(SPAN_LITERAL("1:Q,"), &r), 0);
	assert_int_equal(r.kind, CONTROL_LIST);
}

/* Of those that may share a packet each leaves what is behind it. */
static void
requests_share_a_packet(void **state)
{
	static const char *const alone[] = {
	    "1:B,1:1,1:R,1:7,", "1:S,1:R,1:7,", "1:Q,1:R,1:7,"};
	struct str packet = STR_INIT;
	struct control_request r;

	(void)state;
	assert_int_equal(
	    control_request_decode(
		SPAN_LITERAL("1:D,1:7,1:0,1:F,1:7,1:1,2:no,1:R,1:7,1:B,1:8,"),
		&r),
	    0);
	assert_true(r.kind == CONTROL_DONE && r.id == 7);
	assert_int_equal(control_request_decode(r.rest, &r), 0);
	assert_true(r.kind == CONTROL_FAILED && span_is(r.text, "no"));
	assert_int_equal(control_request_decode(r.rest, &r), 0);
	assert_true(r.kind == CONTROL_RETIRE && r.id == 7);
	assert_int_equal(control_request_decode(r.rest, &r), 0);
	assert_true(r.kind == CONTROL_BARRIER && r.rest.len == 0);
	for (size_t i = 0; i < COUNT(alone); i++)
		assert_int_equal(
		    control_request_decode(span_of(alone[i]), &r), -1);
	while (packet.len + 8 <= CONTROL_SHARED_MAX)
		str_append_cstr(&packet, "1:R,1:7,");
	assert_int_equal(control_request_decode(str_span(&packet), &r), 0);
	str_append_cstr(&packet, "1:R,1:7,");
	assert_int_equal(control_request_decode(str_span(&packet), &r), -1);
	/* the two sides agree */
	assert_int_equal(CONTROL_SHARED_MAX, QUEUE_LINK_SHARED_MAX);
	str_free(&packet);
}

static void
lists_are_whole(void **state)
{
	static const struct {
		const char *what, *input;
		int want;
		enum control_kind kind;
		size_t list;
	} rows[] = {
	    {"two orders", "1:O,10:1 expire 7,10:1 remove 8,", 0, CONTROL_ORDER,
		28},
	    {"one order taken back", "1:U,10:1 expire 7,", 0, CONTROL_UNDO, 14},
	    {"ids", "1:T,1:7,1:8,", 0, CONTROL_TRY_NOW, 8},
	    {"all messages", "1:T,", 0, CONTROL_TRY_NOW, 0},
	    {"an order that is cut", "1:O,10:1 expire 7", -1, CONTROL_ORDER, 0},
	    {"bytes behind the list", "1:T,1:7,x", -1, CONTROL_ORDER, 0},
	};
	struct control_request r;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (control_request_decode(span_of(rows[i].input), &r) !=
		    rows[i].want)
			fail_msg("%s", rows[i].what);
		if (rows[i].want == 0 &&
		    (r.kind != rows[i].kind || r.list.len != rows[i].list))
			fail_msg("%s: kind or list", rows[i].what);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_understood),
	    cmocka_unit_test(requests_share_a_packet),
	    cmocka_unit_test(lists_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
