#include "send/result.h"

#include <string.h>

static const char too_old[] =
    "This message has been in the queue too long; I will not try again."
    " (#4.4.7)\n";

enum {
	DIED_WITHIN = 200, /* bytes in which our own words stand */
};

/* ---- the queue ---------------------------------------------------------- */

static void
note_request(struct pass *pass, uint32_t request)
{
	pass->request = request;
	pass->requested = true;
}

static void
settle(struct state *state, struct pass *pass, uint32_t recipient, char letter,
    struct span text)
{
	struct message *message = pass->message;
	uint64_t index = pass->recipients[recipient].index;

	switch (letter) {
	case 'K':
		/* a message with one recipient is retired at once */
		if (!pass->single)
			note_request(pass,
			    queue_link_delivered(
				&state->link, message->id, index));
		return;
	case 'D':
		note_request(pass,
		    queue_link_failed(&state->link, message->id, index, text));
		message->failed = true;
		return;
	default:
		pass->deferred++;
	}
}

/* Appends to *longer the text that the sender of a message too old gets. */
static void
give_up(struct str *longer, struct span text)
{
	size_t room = JOB_TEXT_MAX - sizeof(too_old);

	str_copy(longer, span_until(text, text.len < room ? text.len : room));
	if (longer->len > 0 && longer->s[longer->len - 1] != '\n')
		str_append_char(longer, '\n');
	str_append_cstr(longer, too_old);
}

static void
take(struct state *state, struct pass *pass,
    const struct channel_recipient *one, char letter, struct span text,
    bool mangled)
{
	struct str longer = STR_INIT;

	if (letter == 'Z' && pass->expired) {
		letter = 'D';
		give_up(&longer, text);
		text = str_span(&longer);
	}
	if (mangled)
		message_log_mangled(&state->log, one->delivery);
	else
		message_log_result(&state->log, one->delivery, letter, text);
	settle(state, pass, one->recipient, letter, text);
	str_free(&longer);
}

void
result_take(struct state *state, struct pass *pass,
    const struct channel_recipient *one, char letter, struct span text)
{
	take(state, pass, one, letter, text, false);
}

void
result_take_mangled(
    struct state *state, struct pass *pass, const struct channel_recipient *one)
{
	take(state, pass, one, 'Z', (struct span){"", 0}, true);
}

/* ---- the host ----------------------------------------------------------- */

static bool
has(struct span text, const char *words)
{
	size_t len = strlen(words);

	for (size_t i = 0; i + len <= text.len; i++) {
		if (memcmp(text.s + i, words, len) == 0)
			return true;
	}
	return false;
}

enum hosts_outcome
result_judge_host(char letter, struct span text)
{
	struct span ours =
	    span_until(text, text.len < DIED_WITHIN ? text.len : DIED_WITHIN);

	if (letter != 'Z')
		return HOSTS_ANSWERED;
	if (span_starts_nocase(text, RESULT_UNREACHABLE) ||
	    span_starts_nocase(
		text, "Sorry, I wasn't able to establish a QMTP connection."))
		return HOSTS_UNREACHABLE;
	return has(ours, "but connection died") ? HOSTS_BROKE : HOSTS_UNKNOWN;
}
