/* the state machine of submit.sock, fed whole and byte by byte */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mail/netstring.h"
#include "mail/queue_file.h"
#include "queue/submission.h"

static const struct accounts accounts = {.alone = true};
static const uint64_t next_id = 100;

struct row {
	const char *what, *input, *want;
};

/* want: what came of it, code, sender, recipients ('/' for NUL), body */
static const struct row rows[] = {
    {"a whole message", "3:Mab,2:Mc,2:Fs,2:Tr,2:Tq,1:.,", "ok 0 s Tr/Tq/ abc"},
    {"no recipient", "2:Mx,1:F,1:.,", "ok 0   x"},
    {"no message", "1:F,1:T,1:.,", "ok 0  T/ "},
    {"a label", "3:P77,2:Mx,2:Fs,1:.,", "ok 0 s  x"},
    {"not complete", "2:Mx,2:Fs,1:.", "more 0 s  x"},
    {"recipient first", "2:Tr,", "drop"},
    {"end first", "1:.,", "drop"},
    {"message behind the sender", "1:F,2:Mx,", "drop"},
    {"two senders", "1:F,1:F,", "drop"},
    {"a late label", "2:Mx,2:P1,", "drop"},
    {"two labels", "2:P1,2:P1,", "drop"},
    {"a label with letters", "2:Px,", "drop"},
    {"an unknown letter", "1:Z,", "drop"},
    {"an empty netstring", "0:,", "drop"},
    {"no netstring", "hello", "drop"},
    {"too long a piece", "65538:M", "drop"},
    {"a NUL in an address", "1:F,3:T\001b,1:.,", "ok 91   "},
};

/* The same for root: what is taken over from another queue. want has the
   birth, uid, origin and failures in front, as far as it is complete. */
static const struct row trusted_rows[] = {
    {"what was taken over",
	"9:O7 99 k/1,3:P12,2:Mx,2:Fs,4:Bno\n,2:Bo,2:Ll,2:Rr,2:Tt,1:.,",
	"99 7 k/1 no\no ok 0 s Ll/Rr/Tt/ x"},
    {"only failures", "9:O7 99 k/1,1:F,4:Bno\n,1:.,", "99 7 k/1 no\n ok 0   "},
    {"an origin of a key alone", "7:O7 99 k,2:Fs,1:.,", "99 7 k  ok 0 s  "},
    {"failures without an origin", "1:F,2:Bx,", "drop"},
    {"a local address without an origin", "1:F,2:Lx,", "drop"},
    {"a remote address without an origin", "1:F,2:Rx,", "drop"},
    {"failures before the sender", "9:O7 99 k/1,2:Bx,", "drop"},
    {"two origins", "9:O7 99 k/1,9:O7 99 k/1,", "drop"},
    {"a late origin", "2:Mx,9:O7 99 k/1,", "drop"},
    {"an origin without a uid", "8:O 99 k/1,", "drop"},
    {"an origin without a birth", "7:O7  k/1,", "drop"},
    {"an origin without a name", "6:O7 99 ,", "drop"},
    {"an origin with a space", "9:O7 99 k 1,", "drop"},
    {"a birth in a year of five digits", "19:O7 253402300800 k/1,", "drop"},
    {"the last second before", "19:O7 253402300799 k/1,1:F,1:.,",
	"253402300799 7 k/1  ok 0   "},
    {"a NUL among the failures", "9:O7 99 k/1,1:F,3:Bx\001,1:.,",
	"0 0   ok 91   "},
    {"and what follows it", "9:O7 99 k/1,1:F,3:Bx\001,2:Lx,2:By,1:.,",
	"0 0   ok 91   "},
    {"waiting for others", "1:W,", "wait"},
    {"waiting and more", "2:Wx,", "drop"},
    {"waiting with an origin", "9:O7 99 k/1,1:W,", "drop"},
    {"waiting too late", "1:F,1:W,", "drop"},
};

static void
describe(
    const struct submission *s, enum submission_result result, struct str *to)
{
	static const char *const names[] = {"more", "ok", "wait", "drop"};

	str_clear(to);
	if (s->uid == 0 && result == SUBMISSION_COMPLETE)
		str_append_format(to, "%lld %llu %s %s ",
		    (long long)(s->code != 0 ? 0 : s->letter.accept_s),
		    (unsigned long long)s->letter.uid, s->letter.origin.s,
		    s->letter.failures.s);
	str_append_cstr(to, names[result]);
	if (result == SUBMISSION_DROP || result == SUBMISSION_WAIT)
		return;
	str_append_format(to, " %d %s ", s->code, s->letter.sender.s);
	for (size_t i = 0; i < s->letter.recipients.len; i++) {
		char c = s->letter.recipients.s[i];

		str_append_char(to, c == '\0' ? '/' : c);
	}
	str_append_format(to, " %s", s->letter.body.s);
}

static void
run(uint64_t uid, struct span input, size_t step,
    struct submission_rules *rules, struct str *to)
{
	enum submission_result result = SUBMISSION_MORE;
	struct submission submission;

	submission_init(&submission, uid);
	while (input.len > 0 && result == SUBMISSION_MORE) {
		struct span piece =
		    span_until(input, step < input.len ? step : input.len);

		result = submission_feed(&submission, rules, piece);
		input = span_from(input, piece.len);
	}
	describe(&submission, result, to);
	submission_free(&submission, rules);
	assert_int_equal(rules->addresses_total, 0);
}

static void
check_row(uint64_t uid, const struct row *row)
{
	struct submission_rules rules = {
	    .accounts = &accounts, .large_bytes = 1000, .next_id = &next_id};
	struct str input = STR_INIT, got = STR_INIT;

	str_format(&input, "%s", row->input);
	for (size_t k = 0; k < input.len; k++) {
		if (input.s[k] == '\001')
			input.s[k] = '\0';
	}
	for (size_t step = 1; step < 100; step += 3) {
		run(uid, str_span(&input), step, &rules, &got);
		if (strcmp(got.s, row->want) != 0)
			fail_msg("%s, %zu bytes at a time: %s", row->what, step,
			    got.s);
	}
	str_free(&input);
	str_free(&got);
}

static void
rows_come_out_as_they_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check_row(1000, &rows[i]);
}

static void
root_may_take_messages_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(trusted_rows); i++)
		check_row(0, &trusted_rows[i]);
}

static void
nobody_else_may(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(trusted_rows); i++) {
		struct row row = trusted_rows[i];

		row.want = "drop";
		check_row(1000, &row);
	}
}

static void
a_full_disk_refuses(void **state)
{
	struct submission_rules rules = {.accounts = &accounts,
	    .large_bytes = 1000,
	    .next_id = &next_id,
	    .full = true};
	struct str got = STR_INIT;

	(void)state;
	run(1000, SPAN_LITERAL("2:Mx,1:F,1:.,"), 100, &rules, &got);
	assert_string_equal(got.s, "ok 53   ");
	run(1000, SPAN_LITERAL("1:F,1:.,"), 100, &rules, &got);
	assert_string_equal(got.s, "ok 53   ");
	str_free(&got);
}

static void
a_large_one_gives_way_when_the_disk_fills(void **state)
{
	static char template[] = "/tmp/submission.XXXXXX";
	struct submission_rules rules = {.accounts = &accounts,
	    .large_bytes = 4,
	    .next_tmp = 77,
	    .next_id = &next_id};
	struct submission submission;

	(void)state;
	assert_non_null(mkdtemp(template));
	assert_int_equal(chdir(template), 0);
	assert_int_equal(mkdir("tmp", 0700), 0);
	submission_init(&submission, 1);
	assert_int_equal(submission_feed(&submission, &rules,
			     SPAN_LITERAL("11:M0123456789,")),
	    SUBMISSION_MORE);
	assert_int_equal(access("tmp/77", F_OK), 0);
	rules.full = true;
	assert_int_equal(
	    submission_feed(&submission, &rules, SPAN_LITERAL("2:Mx,")),
	    SUBMISSION_MORE);
	assert_int_equal(access("tmp/77", F_OK), -1);
	assert_int_equal(
	    submission_feed(&submission, &rules, SPAN_LITERAL("1:F,1:.,")),
	    SUBMISSION_COMPLETE);
	assert_int_equal(submission.code, 53);
	submission_free(&submission, &rules);
	assert_int_equal(rmdir("tmp"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(template), 0);
}

static void
addresses_are_limited_in_total(void **state)
{
	struct submission_rules rules = {
	    .accounts = &accounts, .large_bytes = 1000, .next_id = &next_id};
	struct submission submission;

	(void)state;
	rules.addresses_total = SUBMISSION_ADDRESSES_TOTAL - 10;
	submission_init(&submission, 1);
	submission.addresses = SUBMISSION_ADDRESSES_FREE + 1;
	rules.addresses_total += submission.addresses;
	assert_int_equal(submission_feed(&submission, &rules,
			     SPAN_LITERAL("1:F,12:Trecipient@x,1:.,")),
	    SUBMISSION_COMPLETE);
	assert_int_equal(submission.code, 51);
	assert_int_equal(
	    rules.addresses_total, SUBMISSION_ADDRESSES_TOTAL - 10);
	submission_free(&submission, &rules);
}

static void
few_addresses_always_find_room(void **state)
{
	struct submission_rules rules = {
	    .accounts = &accounts, .large_bytes = 1000, .next_id = &next_id};
	struct submission submission;

	(void)state;
	rules.addresses_total = SUBMISSION_ADDRESSES_TOTAL + 10;
	submission_init(&submission, 1);
	assert_int_equal(submission_feed(&submission, &rules,
			     SPAN_LITERAL("1:F,12:Trecipient@x,1:.,")),
	    SUBMISSION_COMPLETE);
	assert_int_equal(submission.code, 0);
	submission_free(&submission, &rules);
	assert_int_equal(
	    rules.addresses_total, SUBMISSION_ADDRESSES_TOTAL + 10);
}

/* ---- large ones ---- */

static void
large_messages_go_to_tmp(void **state)
{
	static char template[] = "/tmp/submission.XXXXXX";
	struct submission_rules rules = {.accounts = &accounts,
	    .large_bytes = 1000,
	    .next_tmp = 5,
	    .next_id = &next_id};
	struct queue_envelope envelope;
	struct submission submission;
	struct str input = STR_INIT, head = STR_INIT, env = STR_INIT;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(template));
	assert_int_equal(chdir(template), 0);
	assert_int_equal(mkdir("tmp", 0700), 0);
	submission_init(&submission, 1000);
	str_append_cstr(&input, "401:M");
	for (int i = 0; i < 400; i++)
		str_append_char(&input, 'x');
	str_append_char(&input, ',');
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    submission_feed(&submission, &rules, str_span(&input)),
		    SUBMISSION_MORE);
	assert_int_equal(submission_feed(&submission, &rules,
			     SPAN_LITERAL("2:Fs,2:Tr,1:.,")),
	    SUBMISSION_COMPLETE);
	assert_int_equal(submission.code, 0);
	assert_true(submission.letter.is_large);
	assert_int_equal(stat("tmp/5", &st), 0);
	/* the true number has as many digits, or the reserved one stays */
	letter_compose(&submission.letter, &accounts, 101, &head, &env);
	assert_int_equal(st.st_size, head.len + 1600);
	assert_non_null(strstr(head.s, "(qmail 101 invoked by uid 1000)"));
	assert_int_equal(queue_envelope_decode(str_span(&env), &envelope), 0);
	assert_int_equal(envelope.qp, 101);
	assert_int_equal(envelope.size_bytes, st.st_size);
	letter_compose(&submission.letter, &accounts, 1000, &head, &env);
	assert_int_equal(st.st_size, head.len + 1600);
	assert_non_null(strstr(head.s, "(qmail 100 invoked by uid 1000)"));
	assert_int_equal(queue_envelope_decode(str_span(&env), &envelope), 0);
	assert_int_equal(envelope.qp, 100);
	submission_free(&submission, &rules);
	assert_int_equal(stat("tmp/5", &st), -1);
	assert_int_equal(rmdir("tmp"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(template), 0);
	str_free(&input);
	str_free(&head);
	str_free(&env);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_come_out_as_they_should),
	    cmocka_unit_test(root_may_take_messages_over),
	    cmocka_unit_test(nobody_else_may),
	    cmocka_unit_test(a_full_disk_refuses),
	    cmocka_unit_test(a_large_one_gives_way_when_the_disk_fills),
	    cmocka_unit_test(addresses_are_limited_in_total),
	    cmocka_unit_test(few_addresses_always_find_room),
	    cmocka_unit_test(large_messages_go_to_tmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
