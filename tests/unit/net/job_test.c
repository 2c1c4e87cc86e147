/* job: packets between the scheduler, the spawns and their workers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mail/netstring.h"
#include "net/job.h"

static void
test_hello(void **state)
{
	struct job_hello in = {.limit = 120, .recipients = 100}, out;
	struct str packet = STR_INIT;

	(void)state;
	job_encode_hello(&packet, &in);
	assert_string_equal(packet.s, "1:H,3:120,3:100,");
	assert_int_equal(job_decode_hello(str_span(&packet), &out), 0);
	assert_true(out.limit == 120 && out.recipients == 100);
	str_free(&packet);
}

static void
test_job(void **state)
{
	struct str packet = STR_INIT;
	struct span one;
	struct job job;

	(void)state;
	str_append_cstr(&packet, "old");
	job_encode_head(&packet, 7, UINT64_MAX, SPAN_LITERAL("h.example"),
	    SPAN_LITERAL(""));
	/* nobody to deliver to is no job */
	assert_int_equal(job_decode(str_span(&packet), &job), -1);
	for (int i = 0; i < JOB_RECIPIENTS_MAX; i++) {
		netstring_append(&packet, SPAN_LITERAL("r@h.example"));
		assert_int_equal(job_decode(str_span(&packet), &job), 0);
		assert_int_equal(job.recipient_count, i + 1);
	}
	assert_true(job.number == 7 && job.id == UINT64_MAX);
	assert_true(span_is(job.host, "h.example"));
	assert_int_equal(job.sender.len, 0);
	assert_int_equal(netstring_take(&job.recipients, &one), 0);
	assert_true(span_is(one, "r@h.example"));
	netstring_append(&packet, SPAN_LITERAL("one too many"));
	assert_int_equal(job_decode(str_span(&packet), &job), -1);
	str_free(&packet);
}

static void
test_result(void **state)
{
	static char text[JOB_TEXT_MAX + 5];
	struct job_result in = {.number = 9,
	    .index = JOB_RECIPIENTS_MAX - 1,
	    .letter = 'Z',
	    .text = {text, sizeof(text)}};
	struct job_result out;
	struct str packet = STR_INIT;

	(void)state;
	memset(text, 'x', sizeof(text));
	job_encode_result(&packet, &in);
	assert_int_equal(job_decode_result(str_span(&packet), &out), 0);
	assert_true(out.number == 9 && out.index == JOB_RECIPIENTS_MAX - 1);
	assert_int_equal(out.letter, 'Z');
	assert_int_equal(out.text.len, JOB_TEXT_MAX); /* cut */
	str_free(&packet);
}

static const struct {
	const char *what, *packet;
} bad[] = {
    {"nothing", ""},
    {"no netstring", "hello"},
    {"another kind", "1:X,1:1,1:1,"},
    {"a kind alone", "1:H,"},
    {"a kind of two letters", "2:HH,1:1,1:1,"},
    {"a number that is none", "1:H,1:x,1:1,"},
    {"more behind a hello", "1:H,1:1,1:1,1:1,"},
    {"no recipients at a time", "1:H,1:1,1:0,"},
    {"a job that is cut", "1:J,1:1,1:1,0:,0:,3:ab"},
    {"a job without recipients", "1:J,1:1,1:1,0:,0:,"},
    {"a job without a sender", "1:J,1:1,1:1,0:,"},
    {"garbage behind the recipients", "1:J,1:1,1:1,0:,0:,1:a,x"},
    {"a letter that is none", "1:R,1:1,1:0,1:X,0:,"},
    {"a small letter", "1:R,1:1,1:0,1:k,0:,"},
    {"two letters", "1:R,1:1,1:0,2:KK,0:,"},
    {"no letter", "1:R,1:1,1:0,0:,0:,"},
    {"an index that is too high", "1:R,1:1,3:100,1:K,0:,"},
    {"an index that would wrap", "1:R,1:1,20:18446744073709551616,1:K,0:,"},
    {"more behind a result", "1:R,1:1,1:0,1:K,0:,0:,"},
    {"a result without text", "1:R,1:1,1:0,1:K,"},
};

static void
test_bad_packets(void **state)
{
	struct job_result result;
	struct job_hello hello;
	struct job job;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct span packet = span_of(bad[i].packet);

		if (job_decode(packet, &job) != -1 ||
		    job_decode_hello(packet, &hello) != -1 ||
		    job_decode_result(packet, &result) != -1)
			fail_msg("%s", bad[i].what);
	}
}

static void
test_a_text_over_the_maximum_is_refused(void **state)
{
	static char text[JOB_TEXT_MAX + 1];
	struct job_result result;
	struct str packet = STR_INIT;

	(void)state;
	str_append_cstr(&packet, "1:R,1:1,1:0,1:K,");
	netstring_append(&packet, (struct span){text, sizeof(text)});
	assert_int_equal(job_decode_result(str_span(&packet), &result), -1);
	str_free(&packet);
}

static void
test_only_a_file_open_for_reading_is_a_message(void **state)
{
	int ends[2], file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	int device = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(fd_pipe(ends), 0);
	assert_true(job_is_message(file));
	assert_false(job_is_message(device));
	assert_false(job_is_message(ends[0]));
	assert_false(job_is_message(-1));
	fd_close(ends[0]);
	fd_close(ends[1]);
	assert_false(job_is_message(ends[0]));
	fd_close(file);
	fd_close(device);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hello),
	    cmocka_unit_test(test_job),
	    cmocka_unit_test(test_result),
	    cmocka_unit_test(test_bad_packets),
	    cmocka_unit_test(test_a_text_over_the_maximum_is_refused),
	    cmocka_unit_test(test_only_a_file_open_for_reading_is_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
