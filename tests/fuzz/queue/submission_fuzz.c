/*
 * Any bytes on submit.sock, in pieces as the first byte says. Nothing is large
 * here: what is written to tmp/ is tested elsewhere.
 */
#include <stdlib.h>
#include <string.h>

#include "mail/queue_file.h"
#include "queue/submission.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct accounts accounts = {.alone = true};
	static const uint64_t next_id = 9;
	struct submission_rules rules = {.accounts = &accounts,
	    .large_bytes = SIZE_MAX / 2,
	    .next_id = &next_id};
	struct span input = {(const char *)data, size};
	size_t step = size > 0 ? data[0] % 13 + 1u : 1;
	enum submission_result result = SUBMISSION_MORE;
	struct submission submission;

	/* root may say more than others */
	submission_init(
	    &submission, size > 0 && data[size - 1] == '.' ? 0 : 1000);
	while (input.len > 0 && result == SUBMISSION_MORE) {
		struct span piece =
		    span_until(input, step < input.len ? step : input.len);

		input = span_from(input, piece.len);
		result = submission_feed(&submission, &rules, piece);
		if (submission.addresses != rules.addresses_total)
			abort();
		if (submission.letter.body.len != submission.letter.body_size)
			abort();
	}
	if (result == SUBMISSION_COMPLETE && submission.code == 0) {
		struct str head = STR_INIT, env = STR_INIT;
		struct queue_envelope envelope;

		/* whatever was taken makes a right envelope */
		letter_compose(&submission.letter, &accounts, 10, &head, &env);
		if (queue_envelope_decode(str_span(&env), &envelope) == -1 ||
		    letter_env_head(str_span(&env)) >= env.len)
			abort();
		str_free(&head);
		str_free(&env);
	}
	submission_free(&submission, &rules);
	if (rules.addresses_total != 0)
		abort();
	return 0;
}
