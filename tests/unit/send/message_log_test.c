/* message_log: exact lines, and bytes that cannot make up others */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "send/message_log.h"

static void
writes_each_line(void **state)
{
	struct message_log log;
	struct message_log_info info = {
	    11043499, 228, 9671, 0, SPAN_LITERAL("bsender@local.example")};
	struct message_log_status status = {{1, 0}, {10, 20}, false};

	(void)state;
	message_log_init(&log, -1);
	message_log_new(&log, 11043499);
	message_log_info(&log, &info);
	message_log_start(&log, 1, 11043499, CHANNEL_LOCAL,
	    SPAN_LITERAL("alias-vd-us er@vd.example"));
	message_log_status(&log, &status);
	message_log_result(&log, 1, 'K', SPAN_LITERAL("did 0+0+1\n"));
	message_log_result(
	    &log, 2, 'D', SPAN_LITERAL("failing text\n\n\nmore\n"));
	message_log_result(&log, 3, 'Z', SPAN_LITERAL(""));
	message_log_mangled(&log, 4);
	message_log_start(
	    &log, 5, 7, CHANNEL_REMOTE, SPAN_LITERAL("a@b.example"));
	message_log_bounce(&log, 11043499, 9706);
	message_log_discard(&log, "triple", 7);
	message_log_end(&log, 11043499);
	status.exiting = true;
	message_log_status(&log, &status);
	assert_string_equal(log.lines.s,
	    "new msg 11043499\n"
	    "info msg 11043499: bytes 228 from <bsender@local.example> qp "
	    "9671 uid 0\n"
	    "starting delivery 1: msg 11043499 to local "
	    "alias-vd-us_er@vd.example\n"
	    "status: local 1/10 remote 0/20\n"
	    "delivery 1: success: did_0+0+1/\n"
	    "delivery 2: failure: failing_text///more/\n"
	    "delivery 3: deferral: \n"
	    "delivery 4: report mangled, will defer\n"
	    "starting delivery 5: msg 7 to remote a@b.example\n"
	    "bounce msg 11043499 qp 9706\n"
	    "triple bounce: discarding bounce/7\n"
	    "end msg 11043499\n"
	    "status: local 1/10 remote 0/20 exitasap\n");
	str_free(&log.lines);
}

static void
makes_every_byte_safe(void **state)
{
	struct message_log log;
	char all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	message_log_init(&log, -1);
	message_log_result(&log, 1, 'K', (struct span){all, sizeof(all)});
	assert_int_equal(
	    log.lines.len, strlen("delivery 1: success: ") + 256 + 1);
	for (size_t i = strlen("delivery 1: success: "); i < log.lines.len - 1;
	     i++) {
		assert_in_range((unsigned char)log.lines.s[i], 33, 126);
		assert_int_not_equal(log.lines.s[i], '%');
	}
	str_free(&log.lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_each_line),
	    cmocka_unit_test(makes_every_byte_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
