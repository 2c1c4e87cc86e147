/* jobs for qmail-clean, and its answers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "queue/clean_job.h"

static void
jobs_come_back(void **state)
{
	static struct clean_job job, got;
	struct str packet = STR_INIT;

	(void)state;
	job = (struct clean_job){.kind = CLEAN_CHECKPOINT, .a = 3, .b = 99};
	clean_job_encode(&packet, &job);
	assert_string_equal(packet.s, "1:C,1:3,2:99,");
	assert_int_equal(clean_job_decode(str_span(&packet), &got), 0);
	assert_true(got.kind == CLEAN_CHECKPOINT && got.a == 3 && got.b == 99);
	job.kind = CLEAN_REMOVE;
	job.id_count = CLEAN_JOB_IDS_MAX;
	for (size_t i = 0; i < job.id_count; i++)
		job.ids[i] = UINT64_MAX - i;
	clean_job_encode(&packet, &job);
	assert_true(packet.len <= CLEAN_JOB_PACKET_MAX);
	assert_int_equal(clean_job_decode(str_span(&packet), &got), 0);
	assert_int_equal(got.id_count, CLEAN_JOB_IDS_MAX);
	assert_memory_equal(got.ids, job.ids, sizeof(got.ids));
	str_free(&packet);
}

static void
other_packets_are_no_jobs(void **state)
{
	static const char *const rows[] = {"", "1:Z,", "1:C,", "1:C,1:1,",
	    "1:C,1:1,1:2,1:3,", "1:R,1:x,", "2:RR,", "1:S,1:1,1:2", "x"};
	static struct clean_job job;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (clean_job_decode(span_of(rows[i]), &job) != -1)
			fail_msg("%s was taken", rows[i]);
	}
}

static void
answers_come_back(void **state)
{
	struct str packet = STR_INIT;
	struct span error;

	(void)state;
	clean_job_encode_answer(&packet, NULL);
	assert_int_equal(clean_job_decode_answer(str_span(&packet), &error), 1);
	clean_job_encode_answer(&packet, "tmp/1: No space");
	assert_int_equal(clean_job_decode_answer(str_span(&packet), &error), 0);
	assert_true(span_is(error, "tmp/1: No space"));
	assert_int_equal(
	    clean_job_decode_answer(SPAN_LITERAL("1:K,1:x,"), &error), -1);
	str_free(&packet);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(jobs_come_back),
	    cmocka_unit_test(other_packets_are_no_jobs),
	    cmocka_unit_test(answers_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
