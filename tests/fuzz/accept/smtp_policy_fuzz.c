/*
 * badmailfrom, badmailfromnorelay, validrcptto and its like from files (each up
 * to a NUL), then HELO, sender and recipient: a sender in badmailfrom is
 * refused, whoever may relay is bound by no file that is for strangers, and
 * without files nobody is refused. Expressions are without what libc reads or
 * matches without a limit.
 */
#include "../fuzz.h"

#include "accept/smtp_policy.h"
#include "mail/address.h"

static const char *const paths[] = {"control/badmailfrom",
    "control/badmailfromnorelay", "control/badrcptto",
    "control/badrcpttonorelay", "control/badhelo", "control/validrcptto",
    "control/rejectnullsenders", "control/rejectrelaytest"};

enum {
	FILES = sizeof(paths) / sizeof(paths[0]),
};

/* True if a line of list is the address, or '@' and its domain. */
static bool
lists(struct span list, struct span address)
{
	size_t at = address_at(address);

	while (list.len > 0) {
		struct span line = span_trim_right(fuzz_until(&list, '\n'));

		if (line.len == 0 || line.s[0] == '#')
			continue;
		if (span_equal_nocase(line, address) ||
		    (at != SPAN_NONE &&
			span_equal_nocase(line, span_from(address, at))))
			return true;
	}
	return false;
}

static void
judge(struct smtp_policy *policy, const struct span *files,
    const struct str *words, unsigned char there)
{
	const struct smtp_refusal *refusal =
	    smtp_policy_judge_sender(policy, &words[0], &words[1]);
	bool is_bad = (there & 1) && lists(files[0], str_span(&words[1]));
	bool is_valid = !(there & 32) || lists(files[5], str_span(&words[2]));

	require(refusal != NULL || !is_bad);
	require(refusal == NULL || (there & (1 | 2 | 16 | 64)) != 0);
	if (policy->is_relay && (there & (1 | 16 | 64)) == 0)
		require(refusal == NULL);
	if (words[1].len > 0 && (there & (1 | 2 | 16)) == 0)
		require(refusal == NULL);
	require(smtp_policy_judge_recipient(policy, &words[2], &refusal) == 0);
	require(refusal == NULL || (there & (4 | 8 | 32 | 128)) != 0);
	if (policy->is_relay && (there & 4) == 0)
		require(refusal == NULL);
	require(policy->is_relay || refusal != NULL || is_valid);
	if ((there & (4 | 8 | 128)) == 0 && is_valid)
		require(refusal == NULL);
	require(refusal == NULL ||
	    (refusal->code >= 500 && refusal->code < 600 &&
		refusal->reply[0] == '5'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, files[FILES];
	struct str words[3] = {STR_INIT, STR_INIT, STR_INIT};
	unsigned char there = fuzz_byte(&input);
	bool is_relay = fuzz_byte(&input) & 1;
	struct smtp_policy policy;

	fuzz_enter_directory();
	fuzz_make_directory("control");
	for (size_t i = 0; i < FILES; i++) {
		files[i] = fuzz_until(&input, '\0');
		if (i >= 1 && i <= 4 &&
		    (files[i].len > 100 || fuzz_is_for_libc(files[i])))
			return 0;
		if (there >> i & 1)
			fuzz_write_file(paths[i], files[i]);
		else
			(void)unlink(paths[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		struct span word = fuzz_until(&input, '\0');

		str_copy(&words[i], fuzz_some(&word, 100));
	}
	fuzz_hush();
	if (smtp_policy_load(&policy, is_relay) == 0)
		judge(&policy, files, words, there);
	else /* an expression that is none */
		require((there & (2 | 4 | 8 | 16)) != 0);
	smtp_policy_free(&policy);
	fuzz_speak();
	for (size_t i = 0; i < 3; i++)
		str_free(&words[i]);
	return 0;
}
