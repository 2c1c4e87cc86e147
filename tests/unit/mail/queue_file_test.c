/* the bytes of env and bounce files: round trips, and every damage noticed */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail/queue_file.h"

/* a span as an initializer */
#define ROW(text)                                                              \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}

static void
make_env(struct str *to)
{
	struct queue_envelope e = {.uid = 1000,
	    .qp = 77,
	    .birth_s = 1795373134,
	    .size_bytes = 4096,
	    .mess_crc = 0xe3069283,
	    .sender = SPAN_LITERAL("s@x")};

	str_clear(to);
	queue_envelope_append_head(to, &e);
	queue_envelope_append_recipient(to, SPAN_LITERAL("a@b"));
	queue_envelope_append_recipient(to, SPAN_LITERAL(""));
	queue_envelope_append_end(to, 0);
}

static void
paths(void **state)
{
	struct str path = STR_INIT;

	(void)state;
	queue_file_path(&path, QUEUE_MESS, 65);
	assert_string_equal(path.s, "mess/1/65");
	queue_file_path(&path, QUEUE_BOUNCE, UINT64_MAX);
	assert_string_equal(path.s, "bounce/31/18446744073709551615");
	str_free(&path);
}

static void
env_comes_back(void **state)
{
	static const char want[] = "v1\0u1000\0p77\0t1795373134\0s4096\0"
				   "ce3069283\0Fs@x\0Ta@b\0T\0C";
	struct str env = STR_INIT;
	struct queue_envelope e;
	struct span one;

	(void)state;
	make_env(&env);
	assert_int_equal(env.len, sizeof(want) - 1 + 9);
	assert_memory_equal(env.s, want, sizeof(want) - 1);
	assert_int_equal(queue_envelope_decode(str_span(&env), &e), 0);
	assert_int_equal(e.uid, 1000);
	assert_int_equal(e.qp, 77);
	assert_int_equal(e.birth_s, 1795373134);
	assert_int_equal(e.size_bytes, 4096);
	assert_int_equal(e.mess_crc, 0xe3069283);
	assert_int_equal(e.recipient_count, 2);
	assert_true(span_is(e.sender, "s@x"));
	assert_int_equal(queue_envelope_next(&e.recipients, &one), 1);
	assert_true(span_is(one, "a@b"));
	assert_int_equal(queue_envelope_next(&e.recipients, &one), 1);
	assert_int_equal(one.len, 0);
	assert_int_equal(queue_envelope_next(&e.recipients, &one), 0);
	str_free(&env);
}

static void
env_damage_is_noticed(void **state)
{
	struct str env = STR_INIT;
	struct queue_envelope e;

	(void)state;
	make_env(&env);
	for (size_t i = 0; i < env.len; i++) {
		assert_int_equal(
		    queue_envelope_decode((struct span){env.s, i}, &e), -1);
		for (int bit = 0; bit < 8; bit++) {
			env.s[i] = (char)(env.s[i] ^ 1 << bit);
			assert_int_equal(
			    queue_envelope_decode(str_span(&env), &e), -1);
			env.s[i] = (char)(env.s[i] ^ 1 << bit);
		}
	}
	str_append_char(&env, '\0');
	assert_int_equal(queue_envelope_decode(str_span(&env), &e), -1);
	str_free(&env);
}

static void
what_was_taken_over_comes_back(void **state)
{
	static const char want[] =
	    "v1\0u0\0p7\0t1\0s2\0c00000003\0Ok0/5/6\0F\0B<a@b>:\nno\n\n\0"
	    "Lv-a@b\0Rc@d\0Te\0C";
	struct queue_envelope e = {.qp = 7,
	    .birth_s = 1,
	    .size_bytes = 2,
	    .mess_crc = 3,
	    .origin = SPAN_LITERAL("k0/5/6"),
	    .failures = SPAN_LITERAL("<a@b>:\nno\n\n")};
	struct str env = STR_INIT;
	struct span one;
	char letter;

	(void)state;
	queue_envelope_append_head(&env, &e);
	str_append_span(&env, SPAN_LITERAL("Lv-a@b\0Rc@d\0"));
	queue_envelope_append_recipient(&env, SPAN_LITERAL("e"));
	queue_envelope_append_end(&env, 0);
	assert_int_equal(env.len, sizeof(want) - 1 + 9);
	assert_memory_equal(env.s, want, sizeof(want) - 1);
	assert_int_equal(queue_envelope_decode(str_span(&env), &e), 0);
	assert_true(span_is(e.origin, "k0/5/6"));
	assert_true(span_is(queue_origin_key(e.origin), "k0"));
	assert_true(span_is(e.failures, "<a@b>:\nno\n\n"));
	assert_int_equal(e.recipient_count, 3);
	assert_int_equal(
	    queue_envelope_next_as(&e.recipients, &one, &letter), 1);
	assert_true(span_is(one, "v-a@b") && letter == 'L');
	assert_int_equal(
	    queue_envelope_next_as(&e.recipients, &one, &letter), 1);
	assert_true(span_is(one, "c@d") && letter == 'R');
	assert_int_equal(
	    queue_envelope_next_as(&e.recipients, &one, &letter), 1);
	assert_true(span_is(one, "e") && letter == 'T');
	assert_int_equal(
	    queue_envelope_next_as(&e.recipients, &one, &letter), 0);
	str_free(&env);
}

/* Fields that a right checksum does not excuse. */
static void
env_needs_its_fields(void **state)
{
	static const struct {
		const char *what;
		struct span head;
	} rows[] = {
	    {"another version", ROW("v2\0u1\0p1\0t1\0s1\0c00000000\0F\0")},
	    {"no sender", ROW("v1\0u1\0p1\0t1\0s1\0c00000000\0")},
	    {"a leading zero", ROW("v1\0u01\0p1\0t1\0s1\0c00000000\0F\0")},
	    {"an upper-case checksum",
		ROW("v1\0u1\0p1\0t1\0s1\0cA0000000\0F\0")},
	    {"a field of no known letter",
		ROW("v1\0u1\0p1\0t1\0s1\0c00000000\0F\0X\0")},
	    {"an origin without a value",
		ROW("v1\0u1\0p1\0t1\0s1\0c00000000\0O\0F\0")},
	    {"failures before the sender",
		ROW("v1\0u1\0p1\0t1\0s1\0c00000000\0Bx\0F\0")},
	    {"failures without a value",
		ROW("v1\0u1\0p1\0t1\0s1\0c00000000\0F\0B\0Tx\0")},
	    {"an open field of a letter",
		ROW("v1\0u1\0p1\0t1\0s1\0c00000000\0F\0Lx")},
	    {"an open field", ROW("v1\0u1\0p1\0t1\0s1\0c00000000\0F\0Tx")},
	};
	struct str env = STR_INIT;
	struct queue_envelope e;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		str_copy(&env, rows[i].head);
		queue_envelope_append_end(&env, 0);
		if (queue_envelope_decode(str_span(&env), &e) != -1)
			fail_msg("%s was taken", rows[i].what);
	}
	str_free(&env);
}

static void
failures_come_back_until_the_tear(void **state)
{
	struct queue_failure first = {3, SPAN_LITERAL("no such user\n")};
	struct queue_failure second = {0, SPAN_LITERAL("")};
	struct queue_failure got;
	struct str bounce = STR_INIT;
	struct span rest;
	size_t whole;

	(void)state;
	queue_failure_append(&bounce, 9, &first);
	whole = bounce.len;
	queue_failure_append(&bounce, 9, &second);
	rest = str_span(&bounce);
	assert_int_equal(queue_failure_next(&rest, 9, &got), 1);
	assert_int_equal(got.recipient, 3);
	assert_true(span_equal(got.text, first.text));
	assert_int_equal(queue_failure_next(&rest, 9, &got), 1);
	assert_int_equal(got.recipient, 0);
	assert_int_equal(got.text.len, 0);
	assert_int_equal(queue_failure_next(&rest, 9, &got), 0);
	/* the same bytes under another id are another message's */
	rest = str_span(&bounce);
	assert_int_equal(queue_failure_next(&rest, 8, &got), -1);
	for (size_t cut = whole + 1; cut < bounce.len; cut++) {
		rest = (struct span){bounce.s, cut};
		assert_int_equal(queue_failure_next(&rest, 9, &got), 1);
		assert_int_equal(queue_failure_next(&rest, 9, &got), -1);
		assert_int_equal(rest.len, cut - whole);
	}
	str_free(&bounce);
}

static void
failure_texts_are_cut(void **state)
{
	struct str text = STR_INIT, bounce = STR_INIT;
	struct queue_failure failure, got;
	struct span rest;

	(void)state;
	for (size_t i = 0; i < QUEUE_FILE_TEXT_MAX + 1; i++)
		str_append_char(&text, 'x');
	failure = (struct queue_failure){0, str_span(&text)};
	queue_failure_append(&bounce, 1, &failure);
	rest = str_span(&bounce);
	assert_int_equal(queue_failure_next(&rest, 1, &got), 1);
	assert_int_equal(got.text.len, QUEUE_FILE_TEXT_MAX);
	str_free(&text);
	str_free(&bounce);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths),
	    cmocka_unit_test(env_comes_back),
	    cmocka_unit_test(env_damage_is_noticed),
	    cmocka_unit_test(what_was_taken_over_comes_back),
	    cmocka_unit_test(env_needs_its_fields),
	    cmocka_unit_test(failures_come_back_until_the_tear),
	    cmocka_unit_test(failure_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
