#include "remote/qmtp_client.h"

#include "base/clock.h"
#include "base/str.h"
#include "mail/netstring.h"

static const struct span no_answer = {"", 0};

void
qmtp_client_init(struct qmtp_client *client, unsigned timeout_s)
{
	*client = (struct qmtp_client){
	    .timeout_s = timeout_s, .answer = QMTP_ANSWER_INIT};
	client->stream.fd = -1;
}

void
qmtp_client_close(struct qmtp_client *client)
{
	smtp_stream_close(&client->stream);
	client->is_open = false;
}

void
qmtp_client_free(struct qmtp_client *client)
{
	qmtp_client_close(client);
	qmtp_answer_free(&client->answer);
}

void
qmtp_client_open(struct qmtp_client *client, int fd, const struct ip *ip)
{
	smtp_stream_open(&client->stream, fd);
	client->ip = *ip;
	client->is_open = true;
}

static int64_t
after_s(const struct qmtp_client *client, unsigned factor)
{
	return clock_mono_ms() + (int64_t)client->timeout_s * 1000 * factor;
}

static void
say_died(struct qmtp_client *client, struct verdict *verdict, bool may_be_sent)
{
	verdict_set_host(verdict, 'Z', "Connected to ", &client->ip,
	    may_be_sent ? " but connection died. Possible duplicate! (#4.4.2)"
			: " but connection died. (#4.4.2)",
	    no_answer);
	qmtp_client_close(client);
}

/* ---- sending ------------------------------------------------------------- */

enum sent {
	SENT_ALL,
	SENT_PART,       /* the server cannot have all of it */
	SENT_UNCERTAIN,  /* it may have */
	SENT_UNREADABLE, /* the message is not what it was said to be */
};

/* "length:" and the LF that tells how lines end. */
static void
append_head(struct str *to, uint64_t size_bytes)
{
	str_append_u64(to, size_bytes + 1);
	str_append_cstr(to, ":\n");
}

/* The end of the message's netstring, the sender and the recipients, but for
   the very last comma. */
static void
append_envelope(
    struct str *to, struct span sender, const struct verdict *verdict)
{
	struct str recipients = STR_INIT;

	for (size_t i = 0; i < verdict->count; i++) {
		const struct verdict_recipient *one = &verdict->recipients[i];

		if (!one->is_refused_here)
			netstring_append(&recipients, one->address);
	}
	str_append_char(to, ',');
	netstring_append(to, sender);
	netstring_append(to, str_span(&recipients));
	str_truncate(to, to->len - 1);
	str_free(&recipients);
}

/* Exactly size_bytes of the message: no more, no less. */
static enum sent
send_body(struct qmtp_client *client, struct message *message,
    uint64_t size_bytes, int64_t *deadline_ms)
{
	char buf[MESSAGE_CHUNK];

	while (size_bytes > 0) {
		size_t want =
		    size_bytes < sizeof(buf) ? (size_t)size_bytes : sizeof(buf);
		ssize_t got = message_read(message, buf, want);

		if (got <= 0)
			return SENT_UNREADABLE;
		*deadline_ms += (int64_t)got * 1000 / QMTP_BODY_RATE;
		if (smtp_stream_write(&client->stream,
			(struct span){buf, (size_t)got}, *deadline_ms) == -1)
			return SENT_PART;
		size_bytes -= (uint64_t)got;
	}
	return message_read(message, buf, 1) == 0 ? SENT_ALL : SENT_UNREADABLE;
}

static enum sent
send_all(struct qmtp_client *client, struct span sender,
    struct message *message, uint64_t size_bytes, const struct verdict *verdict)
{
	int64_t deadline_ms = after_s(client, 1);
	struct smtp_stream *stream = &client->stream;
	struct str text = STR_INIT;
	enum sent result = SENT_PART;

	append_head(&text, size_bytes);
	if (smtp_stream_write(stream, str_span(&text), deadline_ms) == -1)
		goto done;
	result = send_body(client, message, size_bytes, &deadline_ms);
	if (result != SENT_ALL)
		goto done;
	result = SENT_PART;
	str_clear(&text);
	append_envelope(&text, sender, verdict);
	deadline_ms += (int64_t)text.len * 1000 / QMTP_BODY_RATE;
	/* An answer before the last byte is none to this message: a K would be
	   no receipt. */
	if (smtp_stream_write(stream, str_span(&text), deadline_ms) == -1 ||
	    smtp_stream_is_stale(stream))
		goto done;
	result = SENT_UNCERTAIN;
	if (smtp_stream_write(stream, SPAN_LITERAL(","), deadline_ms) == 0 &&
	    smtp_stream_flush(stream, deadline_ms) == 0)
		result = SENT_ALL;
done:
	str_free(&text);
	return result;
}

/* ---- answers ------------------------------------------------------------- */

/* Reads the next answer. 0, or -1: there is none. */
static int
get_answer(struct qmtp_client *client, int64_t end_ms)
{
	int64_t deadline_ms = after_s(client, 1);

	if (deadline_ms > end_ms)
		deadline_ms = end_ms;
	qmtp_answer_reset(&client->answer);
	for (;;) {
		struct span have = smtp_stream_input(&client->stream);
		size_t len = have.len;
		enum qmtp_answer_event event =
		    qmtp_answer_feed(&client->answer, &have);

		smtp_stream_skip(&client->stream, len - have.len);
		if (event == QMTP_ANSWER_DONE)
			return 0;
		if (event == QMTP_ANSWER_BROKEN ||
		    smtp_stream_fill(&client->stream, deadline_ms) == -1)
			return -1;
	}
}

/* Answers for all recipients that were sent. */
static void
take_answers(struct qmtp_client *client, struct verdict *verdict)
{
	int64_t end_ms = after_s(client, QMTP_ANSWERS_FACTOR);
	struct str taken = STR_INIT; /* the first K */
	bool is_taken = false;

	for (size_t i = 0; i < verdict->count; i++) {
		struct verdict_recipient *one = &verdict->recipients[i];
		struct span text;

		if (one->is_refused_here)
			continue;
		if (get_answer(client, end_ms) == -1) {
			say_died(client, verdict, true);
			goto done;
		}
		text = str_span(&client->answer.text);
		if (client->answer.letter != 'K') {
			verdict_refuse(one,
			    client->answer.letter == 'D' ? 'h' : 's',
			    &client->ip, text);
			continue;
		}
		one->letter = 'r';
		if (!is_taken)
			str_copy(&taken, text);
		is_taken = true;
	}
	if (is_taken)
		verdict_set_host(verdict, 'K', "", &client->ip,
		    " accepted message.", str_span(&taken));
	else
		verdict_set_host(
		    verdict, 'D', "Giving up on ", &client->ip, ".", no_answer);
	/* more answers than recipients: the next ones would be misread */
	if (smtp_stream_has_input(&client->stream))
		qmtp_client_close(client);
done:
	str_free(&taken);
}

enum smtp_outcome
qmtp_client_send(struct qmtp_client *client, struct span sender,
    struct message *message, uint64_t size_bytes, struct verdict *verdict)
{
	verdict_reset(verdict);
	message_rewind(message);
	if (smtp_stream_is_stale(&client->stream)) {
		say_died(client, verdict, false);
		return SMTP_TRY_NEXT;
	}
	switch (send_all(client, sender, message, size_bytes, verdict)) {
	case SENT_ALL:
		take_answers(client, verdict);
		return SMTP_DECIDED;
	case SENT_UNCERTAIN:
		say_died(client, verdict, true);
		return SMTP_DECIDED;
	case SENT_UNREADABLE:
		/* without the last comma the server has to forget it */
		qmtp_client_close(client);
		verdict_set(
		    verdict, 'Z', "Unable to read the message. (#4.3.0)");
		return SMTP_DECIDED;
	case SENT_PART:
		break;
	}
	message_rewind(message);
	say_died(client, verdict, false);
	return SMTP_TRY_NEXT;
}
