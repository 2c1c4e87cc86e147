#include "remote/smtp_client.h"

#include <errno.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/str.h"
#include "mail/address.h"

enum {
	CODE_READY = 220,
	CODE_OK = 250,
	CODE_CLOSING = 421,
	CODE_TEMPORARY = 400,
	CODE_PERMANENT = 500,
	QUIT_TIME_MS = 2000,
};

static const struct span no_reply = {"", 0};

void
smtp_client_init(struct smtp_client *client, unsigned timeout_s)
{
	*client = (struct smtp_client){
	    .timeout_s = timeout_s, .reply = SMTP_REPLY_INIT};
	client->stream.fd = -1;
}

static void
drop(struct smtp_client *client)
{
	smtp_stream_close(&client->stream);
	client->is_open = false;
}

void
smtp_client_free(struct smtp_client *client)
{
	drop(client);
	smtp_reply_free(&client->reply);
}

static int64_t
reply_deadline(const struct smtp_client *client)
{
	int64_t deadline = clock_mono_ms() + (int64_t)client->timeout_s * 1000;

	return deadline < client->end_ms ? deadline : client->end_ms;
}

static void
start_envelope_clock(struct smtp_client *client)
{
	client->end_ms = clock_mono_ms() +
	    (int64_t)client->timeout_s * 1000 * SMTP_ENVELOPE_FACTOR;
}

/* Reads a reply into client->reply. 0, or -1 with errno. */
static int
get_reply(struct smtp_client *client)
{
	return smtp_stream_reply(
	    &client->stream, &client->reply, reply_deadline(client));
}

static int
put(struct smtp_client *client, struct span bytes)
{
	return smtp_stream_write(
	    &client->stream, bytes, reply_deadline(client));
}

static int
flush(struct smtp_client *client)
{
	return smtp_stream_flush(&client->stream, reply_deadline(client));
}

/* One command, alone, and its reply. */
static int
ask(struct smtp_client *client, const char *verb, struct span argument)
{
	struct str line = STR_INIT;
	int result = -1;

	str_append_cstr(&line, verb);
	str_append_span(&line, argument);
	str_append_cstr(&line, "\r\n");
	if (put(client, str_span(&line)) == 0 && flush(client) == 0)
		result = get_reply(client);
	str_free(&line);
	return result;
}

static struct span
reply_text(const struct smtp_client *client)
{
	return str_span(&client->reply.text);
}

static void
say_died(struct smtp_client *client, struct verdict *verdict, bool may_be_sent)
{
	verdict_set_host(verdict, 'Z', "Connected to ", &client->ip,
	    may_be_sent ? " but connection died. Possible duplicate! (#4.4.2)"
			: " but connection died. (#4.4.2)",
	    no_reply);
	drop(client);
}

/* ---- greeting and EHLO --------------------------------------------------- */

/* One line of the answer to EHLO, without "250-" and LF. */
static void
read_keyword(struct smtp_client *client, struct span line)
{
	size_t end = span_find(line, ' ');
	struct span word = end == SPAN_NONE ? line : span_until(line, end);

	if (span_equal_nocase(word, SPAN_LITERAL("PIPELINING")))
		client->has_pipelining = true;
	if (span_equal_nocase(word, SPAN_LITERAL("8BITMIME")))
		client->has_8bitmime = true;
	if (span_equal_nocase(word, SPAN_LITERAL("SIZE"))) {
		client->has_size = true;
		if (end != SPAN_NONE)
			(void)num_leading_u64(
			    span_from(line, end + 1), &client->size_max);
	}
}

static void
read_keywords(struct smtp_client *client)
{
	struct span rest = reply_text(client);
	size_t lf = span_find(rest, '\n');

	while (lf != SPAN_NONE) { /* the first line is a name only */
		struct span line;

		rest = span_from(rest, lf + 1);
		lf = span_find(rest, '\n');
		line = lf == SPAN_NONE ? rest : span_until(rest, lf);
		if (line.len > 4)
			read_keyword(
			    client, span_trim_right(span_from(line, 4)));
	}
}

/* 0 if the server knows us now; 1 if it refused; -1 if it is gone. */
static int
say_hello(struct smtp_client *client, struct span helohost)
{
	if (ask(client, "EHLO ", helohost) == -1)
		return -1;
	if (client->reply.code == CODE_OK) {
		read_keywords(client);
		return 0;
	}
	/* A 220 or the like is no refusal but the answer to something else:
	   one more question, and all later answers would be misread. */
	if (client->reply.code == CODE_CLOSING ||
	    client->reply.code < CODE_TEMPORARY)
		return 1;
	if (ask(client, "HELO ", helohost) == -1)
		return -1;
	return client->reply.code == CODE_OK ? 0 : 1;
}

int
smtp_client_open(struct smtp_client *client, int fd, const struct ip *ip,
    struct span helohost, struct verdict *verdict)
{
	const char *trouble = " but greeting failed.";
	int refused;

	smtp_stream_open(&client->stream, fd);
	client->ip = *ip;
	client->has_pipelining = client->has_8bitmime = false;
	client->has_size = client->needs_rset = false;
	client->size_max = 0;
	start_envelope_clock(client);
	if (get_reply(client) == -1) {
		/* what is no reply at all is worth showing */
		if (errno != EPROTO || reply_text(client).len == 0)
			goto died;
		goto refused;
	}
	if (client->reply.code != CODE_READY)
		goto refused;
	if (smtp_stream_has_input(&client->stream))
		goto died; /* nobody asked for a second reply */
	refused = say_hello(client, helohost);
	if (refused == -1)
		goto died;
	if (refused == 1) {
		trouble = " but my name was rejected.";
		goto refused;
	}
	if (smtp_stream_has_input(&client->stream))
		goto died;
	client->is_open = true;
	return 0;
refused:
	verdict_set_host(
	    verdict, 'Z', "Connected to ", ip, trouble, reply_text(client));
	smtp_client_quit(client);
	return -1;
died:
	say_died(client, verdict, false);
	return -1;
}

void
smtp_client_quit(struct smtp_client *client)
{
	int64_t deadline = clock_mono_ms() + QUIT_TIME_MS;

	/* politeness only: the server need not hear it */
	if (client->stream.fd != -1 && !client->stream.eof &&
	    smtp_stream_write(
		&client->stream, SPAN_LITERAL("QUIT\r\n"), deadline) == 0)
		(void)!smtp_stream_flush(&client->stream, deadline);
	drop(client);
}

/* ---- one message --------------------------------------------------------- */

static int
put_mail(struct smtp_client *client, struct span sender,
    const struct message *message)
{
	struct str line = STR_INIT;
	int result;

	str_append_cstr(&line, "MAIL FROM:<");
	address_append_quoted(&line, sender);
	str_append_char(&line, '>');
	if (client->has_size && message->is_measured) {
		str_append_cstr(&line, " SIZE=");
		str_append_u64(&line, message->measure.size_bytes);
	}
	/* of a pipe nobody knows; the label does no harm to plain text */
	if (client->has_8bitmime &&
	    (!message->is_measured || message->measure.has_8bit))
		str_append_cstr(&line, " BODY=8BITMIME");
	str_append_cstr(&line, "\r\n");
	result = put(client, str_span(&line));
	str_free(&line);
	return result;
}

static int
put_rcpt(struct smtp_client *client, struct span recipient)
{
	struct str line = STR_INIT;
	int result;

	str_append_cstr(&line, "RCPT TO:<");
	address_append_quoted(&line, recipient);
	str_append_cstr(&line, ">\r\n");
	result = put(client, str_span(&line));
	str_free(&line);
	return result;
}

/* MAIL, and with PIPELINING all that may follow it unanswered. */
static int
put_envelope(struct smtp_client *client, struct span sender,
    const struct message *message, const struct verdict *verdict)
{
	if (put_mail(client, sender, message) == -1)
		return -1;
	if (client->has_pipelining) {
		for (size_t i = 0; i < verdict->count; i++) {
			if (!verdict->recipients[i].is_refused_here &&
			    put_rcpt(client, verdict->recipients[i].address) ==
				-1)
				return -1;
		}
		if (put(client, SPAN_LITERAL("DATA\r\n")) == -1)
			return -1;
	}
	return flush(client);
}

/*
 * Reads the answers that a pipelined envelope still gets after it has failed:
 * those of rcpts RCPT commands and of DATA. If the server wants the message
 * nevertheless, it gets an empty one that goes to nobody (RFC 2920 section
 * 3.1); if that would go to somebody, the connection ends here.
 */
static void
drain_envelope(struct smtp_client *client, size_t rcpts)
{
	client->needs_rset = true;
	if (!client->has_pipelining)
		return;
	for (size_t i = 0; i < rcpts; i++) {
		if (get_reply(client) == -1 ||
		    client->reply.code < CODE_TEMPORARY)
			goto fail;
	}
	if (get_reply(client) == -1)
		goto fail;
	if (client->reply.code < CODE_TEMPORARY &&
	    ask(client, ".", no_reply) == -1)
		goto fail;
	return;
fail:
	drop(client);
}

static char
letter_of(unsigned code)
{
	return code >= CODE_PERMANENT ? 'D' : 'Z';
}

/* RCPT for each recipient. Returns how many are accepted, or -1. */
static int
send_recipients(struct smtp_client *client, struct verdict *verdict)
{
	int accepted = 0;

	for (size_t i = 0; i < verdict->count; i++) {
		struct verdict_recipient *one = &verdict->recipients[i];

		if (one->is_refused_here)
			continue;
		if (!client->has_pipelining &&
		    (put_rcpt(client, one->address) == -1 ||
			flush(client) == -1))
			return -1;
		if (get_reply(client) == -1)
			return -1;
		if (client->reply.code >= CODE_TEMPORARY) {
			verdict_refuse(one,
			    client->reply.code >= CODE_PERMANENT ? 'h' : 's',
			    &client->ip, reply_text(client));
			continue;
		}
		one->letter = 'r';
		accepted++;
	}
	return accepted;
}

enum body_result {
	BODY_SENT = 0,
	BODY_UNREADABLE = -1,
	BODY_LOST = -2,      /* the server does not have all of it */
	BODY_UNCERTAIN = -3, /* it may have the final dot */
	BODY_ANSWERED = -4,  /* it spoke before it could have all of it */
};

static enum body_result
send_body(struct smtp_client *client, struct message *message)
{
	struct smtp_body body = SMTP_BODY_INIT;
	struct str coded = STR_INIT;
	char buf[MESSAGE_CHUNK];
	enum body_result result = BODY_LOST;
	ssize_t got;

	start_envelope_clock(client);
	while ((got = message_read(message, buf, sizeof(buf))) > 0) {
		client->end_ms += (int64_t)got * 1000 / SMTP_BODY_RATE;
		str_clear(&coded);
		smtp_body_encode(
		    &body, (struct span){buf, (size_t)got}, &coded);
		if (put(client, str_span(&coded)) == -1)
			goto done;
	}
	if (got == -1) {
		result = BODY_UNREADABLE;
		goto done;
	}
	/* What is said before the final dot is no answer to it: a 250 would be
	   no receipt, and after a refusal no dot is wanted. */
	if (smtp_stream_is_stale(&client->stream)) {
		result = BODY_ANSWERED;
		goto done;
	}
	str_clear(&coded);
	smtp_body_finish(&body, &coded);
	result = BODY_UNCERTAIN;
	if (put(client, str_span(&coded)) == 0 && flush(client) == 0)
		result = BODY_SENT;
done:
	str_free(&coded);
	return result;
}

static void
say_failed(struct smtp_client *client, struct verdict *verdict)
{
	verdict_set_host(verdict, letter_of(client->reply.code), "",
	    &client->ip, " failed after I sent the message.",
	    reply_text(client));
}

/* From DATA's 354 to the answer to the final dot. */
static void
finish_message(struct smtp_client *client, struct message *message,
    struct verdict *verdict)
{
	switch (send_body(client, message)) {
	case BODY_UNREADABLE:
		/* without the final dot the server has to forget it */
		drop(client);
		verdict_set(
		    verdict, 'Z', "Unable to read the message. (#4.3.0)");
		return;
	case BODY_LOST:
		say_died(client, verdict, false);
		return;
	case BODY_UNCERTAIN:
		say_died(client, verdict, true);
		return;
	case BODY_ANSWERED:
		/* it may be the look that failed: no answer to wait for */
		if (!smtp_stream_is_stale(&client->stream) ||
		    get_reply(client) == -1 ||
		    client->reply.code < CODE_TEMPORARY) {
			say_died(client, verdict, false);
			return;
		}
		say_failed(client, verdict);
		drop(client);
		return;
	case BODY_SENT:
		break;
	}
	if (get_reply(client) == -1) {
		say_died(client, verdict, true);
		return;
	}
	if (client->reply.code < CODE_TEMPORARY)
		verdict_set_host(verdict, 'K', "", &client->ip,
		    " accepted message.", reply_text(client));
	else
		say_failed(client, verdict);
	if (smtp_stream_has_input(&client->stream))
		drop(client);
}

/* Prepares the session for a message. 0; or -1: ask another server. */
static int
make_ready(struct smtp_client *client)
{
	if (smtp_stream_is_stale(&client->stream))
		return -1;
	if (client->needs_rset &&
	    (ask(client, "RSET", no_reply) == -1 ||
		client->reply.code != CODE_OK))
		return -1;
	client->needs_rset = false;
	return 0;
}

static size_t
count_wanted(const struct verdict *verdict)
{
	size_t wanted = 0;

	for (size_t i = 0; i < verdict->count; i++)
		wanted += !verdict->recipients[i].is_refused_here;
	return wanted;
}

/* True if the server has said that it takes no message of this size. */
static bool
is_too_big(const struct smtp_client *client, struct message *message,
    struct verdict *verdict)
{
	if (!client->has_size || client->size_max == 0 ||
	    !message->is_measured ||
	    message->measure.size_bytes <= client->size_max)
		return false;
	verdict_set_host(verdict, 'D', "Sorry, the message is larger than ",
	    &client->ip, " accepts. (#5.3.4)", no_reply);
	return true;
}

/* RCPT and all that follows, after MAIL was accepted. */
static void
send_rest(struct smtp_client *client, struct message *message,
    struct verdict *verdict)
{
	int accepted = send_recipients(client, verdict);

	if (accepted == -1) {
		say_died(client, verdict, false);
		return;
	}
	if (accepted == 0) {
		verdict_set_host(
		    verdict, 'D', "Giving up on ", &client->ip, ".", no_reply);
		drain_envelope(client, 0);
		return;
	}
	if (client->has_pipelining ? get_reply(client) == -1
				   : ask(client, "DATA", no_reply) == -1) {
		say_died(client, verdict, false);
		return;
	}
	if (client->reply.code >= CODE_TEMPORARY) {
		verdict_set_host(verdict, letter_of(client->reply.code), "",
		    &client->ip, " failed on DATA command.",
		    reply_text(client));
		client->needs_rset = true;
		return;
	}
	/* One reply more than questions: the next would not be the one to the
	   message, and its 250 no receipt. */
	if (smtp_stream_has_input(&client->stream)) {
		say_died(client, verdict, false);
		return;
	}
	finish_message(client, message, verdict);
}

enum smtp_outcome
smtp_client_send(struct smtp_client *client, struct span sender,
    struct message *message, struct verdict *verdict)
{
	verdict_reset(verdict);
	start_envelope_clock(client);
	if ((client->has_size || client->has_8bitmime) &&
	    message_measure(message) == -1) {
		verdict_set(
		    verdict, 'Z', "Unable to read the message. (#4.3.0)");
		return SMTP_DECIDED;
	}
	if (is_too_big(client, message, verdict))
		return SMTP_DECIDED;
	if (make_ready(client) == -1 ||
	    put_envelope(client, sender, message, verdict) == -1 ||
	    get_reply(client) == -1) {
		say_died(client, verdict, false);
		return SMTP_TRY_NEXT;
	}
	if (client->reply.code >= CODE_TEMPORARY) {
		bool closing = client->reply.code == CODE_CLOSING;

		verdict_set_host(verdict, letter_of(client->reply.code),
		    "Connected to ", &client->ip, " but sender was rejected.",
		    reply_text(client));
		if (closing) {
			drop(client);
			return SMTP_TRY_NEXT;
		}
		drain_envelope(client, count_wanted(verdict));
		return SMTP_DECIDED;
	}
	send_rest(client, message, verdict);
	return SMTP_DECIDED;
}
