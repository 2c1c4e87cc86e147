/* requests on control.sock */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "queue/control_door.h"

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
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
