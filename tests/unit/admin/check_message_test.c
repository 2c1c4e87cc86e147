/* check_message: do the files of a message fit each other? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/check_parts.h"
#include "base/attr.h"
#include "base/cdb.h"
#include "base/pack.h"
#include "mail/queue_file.h"

enum {
	ID = 33,
	SIZE = 100,
};

static const struct {
	const char *what;
	uint64_t mess_bytes; /* 0: it is missing */
	const char *done;
	int bounce; /* of which recipient; -1: none; -2: torn */
	size_t count;
	const char *want; /* in the findings */
} rows[] = {
    {"a new message is whole", SIZE, NULL, -1, 0, ""},
    {"one with marks and a failure too", SIZE, "TF", 1, 0, ""},
    {"a missing message", 0, NULL, -1, 1, "queue/mess/1/33: it is missing"},
    {"a longer message", SIZE + 1, NULL, -1, 1,
	"queue/mess/1/33: 101 bytes, not 100"},
    {"an empty done", SIZE, "", -1, 1,
	"queue/done/1/33: 0 marks for 2 recipients"},
    {"a done that is too long", SIZE, "TTT", -1, 1,
	"queue/done/1/33: 3 marks for 2 recipients"},
    {"an unknown mark", SIZE, "Dd", -1, 1, "recipient 1 has a mark"},
    {"a failure of nobody", SIZE, "TF", 2, 1,
	"queue/bounce/1/33: an entry for recipient 2 of 2"},
    {"a torn failure", SIZE, "TF", -2, 1, "no entry"},
    {"all at once", 0, "x", -2, 4, "no entry"},
};

static void
make_envelope(struct str *env)
{
	struct queue_envelope envelope = {.size_bytes = SIZE,
	    .birth_s = 1,
	    .sender = SPAN_LITERAL("s@x"),
	    .recipient_count = 2};

	queue_envelope_append_head(env, &envelope);
	queue_envelope_append_recipient(env, SPAN_LITERAL("a@x"));
	queue_envelope_append_recipient(env, SPAN_LITERAL("b@x"));
	queue_envelope_append_end(env, 0);
}

static void
test_rows(void **state)
{
	struct str env = STR_INIT, bounce = STR_INIT;

	(void)state;
	make_envelope(&env);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct check_report report = CHECK_REPORT_INIT;
		struct check_message message = {.id = ID,
		    .mess_bytes = rows[i].mess_bytes,
		    .has_mess = rows[i].mess_bytes > 0,
		    .env = str_span(&env)};
		struct queue_failure failure = {
		    (uint32_t)(rows[i].bounce < 0 ? 0 : rows[i].bounce),
		    SPAN_LITERAL("no such user")};

		str_clear(&bounce);
		queue_failure_append(&bounce, ID, &failure);
		if (rows[i].bounce == -2)
			str_truncate(&bounce, bounce.len - 1);
		if (rows[i].bounce != -1)
			message.bounce = str_span(&bounce);
		if (rows[i].done != NULL)
			message.done = span_of(rows[i].done);
		check_message(&report, &message);
		if (report.finding_count != rows[i].count ||
		    strstr(report.findings.s, rows[i].want) == NULL)
			fail_msg("%s: %s", rows[i].what, report.findings.s);
		check_report_free(&report);
	}
	str_free(&env);
	str_free(&bounce);
}

static void
test_an_envelope_that_is_cut_anywhere_is_none(void **state)
{
	struct str env = STR_INIT;

	(void)state;
	make_envelope(&env);
	for (size_t len = 0; len < env.len; len++) {
		struct check_report report = CHECK_REPORT_INIT;
		struct check_message message = {.id = ID,
		    .mess_bytes = SIZE,
		    .has_mess = true,
		    .env = {env.s, len}};

		check_message(&report, &message);
		assert_int_equal(report.finding_count, 1);
		assert_non_null(strstr(report.findings.s,
		    "queue/env/1/33: it is not an envelope"));
		check_report_free(&report);
	}
	str_free(&env);
}

static void
test_records_of_a_cdb_are_counted(void **state)
{
	char header[2048] = {0};

	(void)state;
	assert_int_equal(check_cdb_count((struct span){header, 2047}), 0);
	assert_int_equal(check_cdb_count((struct span){header, 2048}), 0);
	pack_u32(header + 4, 2);
	pack_u32(header + 2044, 6);
	assert_int_equal(check_cdb_count((struct span){header, 2048}), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_an_envelope_that_is_cut_anywhere_is_none),
	    cmocka_unit_test(test_records_of_a_cdb_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
