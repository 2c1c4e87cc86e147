#include "queue/submission.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "mail/address.h"
#include "mail/netstring.h"
#include "mail/queue_file.h"

/* The codes of qmail-queue(8) that a refusal can have. */
enum {
	CODE_TOO_LONG = 11,
	CODE_MEMORY = 51,
	CODE_WRITE = 53,
	CODE_ENVELOPE = 91,
};

/* The end of the year 9999: what comes behind has no date. */
#define BIRTH_MAX UINT64_C(253402300799)

void
submission_init(struct submission *submission, uint64_t uid)
{
	*submission = (struct submission){.input = STR_INIT};
	letter_init(&submission->letter);
	submission->uid = submission->letter.uid = uid;
}

bool
submission_is_trusted(
    const struct submission *submission, const struct submission_rules *rules)
{
	return submission->uid == 0 ||
	    submission->uid == rules->accounts->qmailq;
}

bool
submission_may_take_over(
    const struct submission *submission, const struct submission_rules *rules)
{
	return submission_is_trusted(submission, rules) &&
	    (submission->state == SUBMISSION_START ||
		submission->letter.origin.len > 0);
}

void
submission_free(struct submission *submission, struct submission_rules *rules)
{
	rules->addresses_total -= submission->addresses;
	submission->addresses = 0;
	str_free(&submission->input);
	letter_free(&submission->letter);
}

/* From here on the rest is heard and forgotten. */
static void
refuse(struct submission *submission, struct submission_rules *rules, int code)
{
	if (submission->code != 0)
		return;
	submission->code = code;
	rules->addresses_total -= submission->addresses;
	submission->addresses = 0;
	letter_free(&submission->letter);
}

static void
make_large(struct submission *submission, struct submission_rules *rules)
{
	if (letter_make_large(&submission->letter, rules->accounts,
		rules->next_tmp++, *rules->next_id) == -1)
		refuse(submission, rules, CODE_WRITE);
}

/* ---- what each letter means --------------------------------------------- */

/* Each handler returns the next state, or -1 to drop the client. */

static int
on_label(struct submission *submission, struct submission_rules *rules,
    struct span value)
{
	(void)rules;
	if (num_parse_u64(value, &submission->letter.label) == -1)
		return -1;
	return SUBMISSION_BODY;
}

/* "UID BIRTH ORIGIN", once. */
static int
on_origin(struct submission *submission, struct submission_rules *rules,
    struct span value)
{
	struct letter *letter = &submission->letter;
	size_t space = span_find(value, ' ');
	uint64_t birth_s;

	if (!submission_is_trusted(submission, rules) ||
	    letter->origin.len > 0 || space == SPAN_NONE ||
	    num_parse_u64(span_until(value, space), &letter->uid) == -1)
		return -1;
	value = span_from(value, space + 1);
	space = span_find(value, ' ');
	if (space == SPAN_NONE ||
	    num_parse_u64(span_until(value, space), &birth_s) == -1 ||
	    birth_s > BIRTH_MAX)
		return -1;
	letter->accept_s = (int64_t)birth_s;
	value = span_from(value, space + 1);
	if (value.len == 0 || value.len > QUEUE_FILE_ORIGIN_MAX)
		return -1;
	for (size_t i = 0; i < value.len; i++) {
		if (value.s[i] < 33 || value.s[i] > 126)
			return -1;
	}
	if (str_try_append(&letter->origin, value.s, value.len) == -1)
		return -1;
	return SUBMISSION_START;
}

static int
on_message(struct submission *submission, struct submission_rules *rules,
    struct span bytes)
{
	struct letter *letter = &submission->letter;

	if (letter->start_s == 0) {
		letter->start_s = clock_now();
		if (rules->full)
			refuse(submission, rules, CODE_WRITE);
	}
	/* a large one is on the disk already, and gives its room back */
	if (rules->full && letter->is_large)
		refuse(submission, rules, CODE_WRITE);
	if (submission->code != 0)
		return SUBMISSION_BODY;
	if (!letter->is_large &&
	    letter->body.len + bytes.len > rules->large_bytes)
		make_large(submission, rules);
	if (submission->code == 0 && letter_append(letter, bytes) == -1)
		refuse(submission, rules,
		    errno == ENOMEM ? CODE_MEMORY : CODE_WRITE);
	return SUBMISSION_BODY;
}

/* Appends bytes of the envelope to *to, within the limits. */
static void
add_bytes(struct submission *submission, struct submission_rules *rules,
    struct str *to, struct span address)
{
	size_t add = address.len + SUBMISSION_ADDRESS_COST;

	if (submission->code != 0)
		return;
	if (span_find(address, '\0') != SPAN_NONE)
		refuse(submission, rules, CODE_ENVELOPE);
	else if (add > SUBMISSION_ADDRESSES_MAX - submission->addresses ||
	    (submission->addresses > SUBMISSION_ADDRESSES_FREE &&
		rules->addresses_total + add > SUBMISSION_ADDRESSES_TOTAL) ||
	    str_try_append(to, address.s, address.len) == -1)
		refuse(submission, rules, CODE_MEMORY);
	if (submission->code != 0)
		return;
	submission->addresses += add;
	rules->addresses_total += add;
}

static void
add_address(struct submission *submission, struct submission_rules *rules,
    struct str *to, struct span address)
{
	if (address.len > ADDRESS_MAX)
		refuse(submission, rules, CODE_TOO_LONG);
	add_bytes(submission, rules, to, address);
}

static int
on_sender(struct submission *submission, struct submission_rules *rules,
    struct span address)
{
	if (submission->letter.start_s == 0)
		submission->letter.start_s = clock_now();
	if (rules->full)
		refuse(submission, rules, CODE_WRITE);
	add_address(submission, rules, &submission->letter.sender, address);
	return SUBMISSION_ENVELOPE;
}

static int
add_recipient(struct submission *submission, struct submission_rules *rules,
    const char *letter, struct span address)
{
	struct str *to = &submission->letter.recipients;

	if (submission->code == 0 && str_try_append(to, letter, 1) == -1)
		refuse(submission, rules, CODE_MEMORY);
	add_address(submission, rules, to, address);
	if (submission->code == 0 && str_try_append(to, "", 1) == -1)
		refuse(submission, rules, CODE_MEMORY);
	return SUBMISSION_ENVELOPE;
}

static int
on_recipient(struct submission *submission, struct submission_rules *rules,
    struct span address)
{
	return add_recipient(submission, rules, "T", address);
}

/* Only what was taken over may have what follows. After a refusal its origin
   is forgotten, and nothing matters any more. */
static bool
has_origin(const struct submission *submission)
{
	return submission->code != 0 || submission->letter.origin.len > 0;
}

static int
on_local(struct submission *submission, struct submission_rules *rules,
    struct span address)
{
	if (!has_origin(submission))
		return -1;
	return add_recipient(submission, rules, "L", address);
}

static int
on_remote(struct submission *submission, struct submission_rules *rules,
    struct span address)
{
	if (!has_origin(submission))
		return -1;
	return add_recipient(submission, rules, "R", address);
}

static int
on_failures(struct submission *submission, struct submission_rules *rules,
    struct span text)
{
	if (!has_origin(submission))
		return -1;
	add_bytes(submission, rules, &submission->letter.failures, text);
	return SUBMISSION_ENVELOPE;
}

/* The end: what is too large for a record goes to tmp/ as well. */
static void
complete(struct submission *submission, struct submission_rules *rules)
{
	struct letter *letter = &submission->letter;

	if (submission->code != 0)
		return;
	if (letter->origin.len == 0)
		letter->accept_s = clock_now();
	if (!letter->is_large && letter_size(letter) > rules->large_bytes)
		make_large(submission, rules);
	if (submission->code == 0 && letter_end(letter) == -1)
		refuse(submission, rules, CODE_WRITE);
	if (submission->code == 0 && letter->is_large &&
	    letter_env_size(letter) > rules->large_bytes / 2 &&
	    letter_write_env(letter, rules->accounts) == -1)
		refuse(submission, rules, CODE_WRITE);
}

typedef int (*handler)(struct submission *submission,
    struct submission_rules *rules, struct span value);

static handler
find_handler(enum submission_state state, char letter)
{
	static const struct {
		enum submission_state state;
		char letter;
		handler handler;
	} table[] = {
	    {SUBMISSION_START, 'O', on_origin},
	    {SUBMISSION_START, 'P', on_label},
	    {SUBMISSION_START, 'M', on_message},
	    {SUBMISSION_START, 'F', on_sender},
	    {SUBMISSION_BODY, 'M', on_message},
	    {SUBMISSION_BODY, 'F', on_sender},
	    {SUBMISSION_ENVELOPE, 'T', on_recipient},
	    {SUBMISSION_ENVELOPE, 'L', on_local},
	    {SUBMISSION_ENVELOPE, 'R', on_remote},
	    {SUBMISSION_ENVELOPE, 'B', on_failures},
	};

	for (size_t i = 0; i < COUNT(table); i++) {
		if (table[i].state == state && table[i].letter == letter)
			return table[i].handler;
	}
	return NULL;
}

/* ---- netstrings --------------------------------------------------------- */

static enum submission_result
take_one(struct submission *submission, struct submission_rules *rules,
    struct span payload)
{
	handler handle;
	int next;

	if (payload.len == 0)
		return SUBMISSION_DROP;
	if (payload.s[0] == '.') {
		if (payload.len != 1 ||
		    submission->state != SUBMISSION_ENVELOPE)
			return SUBMISSION_DROP;
		complete(submission, rules);
		return SUBMISSION_COMPLETE;
	}
	if (payload.s[0] == 'W')
		return payload.len == 1 &&
			submission->state == SUBMISSION_START &&
			submission->letter.origin.len == 0 &&
			submission_is_trusted(submission, rules)
		    ? SUBMISSION_WAIT
		    : SUBMISSION_DROP;
	handle = find_handler(submission->state, payload.s[0]);
	if (handle == NULL)
		return SUBMISSION_DROP;
	next = handle(submission, rules, span_from(payload, 1));
	if (next == -1)
		return SUBMISSION_DROP;
	submission->state = (enum submission_state)next;
	return SUBMISSION_MORE;
}

/* Takes the netstrings off the front of *bytes as far as they are complete. */
static enum submission_result
take_all(struct submission *submission, struct submission_rules *rules,
    struct span *bytes)
{
	enum submission_result result = SUBMISSION_MORE;

	while (result == SUBMISSION_MORE) {
		struct span payload;
		ssize_t used = netstring_decode(
		    bytes->s, bytes->len, SUBMISSION_PIECE_MAX + 1, &payload);

		if (used == NETSTRING_MORE)
			break;
		if (used < 0)
			return SUBMISSION_DROP;
		result = take_one(submission, rules, payload);
		*bytes = span_from(*bytes, (size_t)used);
	}
	return result;
}

enum submission_result
submission_feed(struct submission *submission, struct submission_rules *rules,
    struct span bytes)
{
	struct str *input = &submission->input;
	enum submission_result result;
	struct span rest;

	/* mostly a read ends where a netstring ends, and nothing is copied */
	if (input->len == 0) {
		result = take_all(submission, rules, &bytes);
		if (result == SUBMISSION_MORE &&
		    str_try_append(input, bytes.s, bytes.len) == -1)
			return SUBMISSION_DROP;
		return result;
	}
	if (str_try_append(input, bytes.s, bytes.len) == -1)
		return SUBMISSION_DROP;
	rest = str_span(input);
	result = take_all(submission, rules, &rest);
	str_remove_front(input, input->len - rest.len);
	if (input->len == 0)
		str_free(input);
	return result;
}
