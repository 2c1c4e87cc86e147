#include "accept/smtp_receive.h"

#include <errno.h>
#include <string.h>

#include "accept/smtp_data.h"
#include "base/clock.h"
#include "net/submit.h"

struct delivery {
	struct submit submit;
	struct smtp_data data;
	bool is_dropped; /* it can no longer be queued, whatever comes */
};

static struct span
first_recipient(const struct smtp_session *session)
{
	return span_of(session->recipients.s); /* up to its NUL */
}

static void
log_message(const struct smtp_session *session, const struct delivery *delivery,
    const char *result, unsigned code, const char *why)
{
	smtp_log(session,
	    &(struct smtp_decision){.result = result,
		.code = code,
		.why = why,
		.to = first_recipient(session),
		.is_message = true,
		.size_bytes = delivery->data.size_bytes,
		.qp = code == 250 ? delivery->submit.qp : 0});
}

static void
drop(struct delivery *delivery)
{
	if (!delivery->is_dropped)
		submit_abort(&delivery->submit);
	delivery->is_dropped = true;
}

static bool
is_looping(const struct delivery *delivery)
{
	return delivery->data.hops >= SMTP_DATA_HOPS_MAX;
}

static bool
is_too_big(const struct smtp_session *session, const struct delivery *delivery)
{
	uint64_t limit = session->config->databytes;

	return limit != 0 && delivery->data.size_bytes > limit;
}

static void
start(struct smtp_session *session, struct delivery *delivery)
{
	struct span helo = str_span(&session->helo);
	const struct smtp_plugins *plugins = &session->config->plugins;
	struct str received = STR_INIT;

	smtp_data_init(&delivery->data);
	peer_append_received(
	    session->peer, &received, session->has_helo ? &helo : NULL, "SMTP");
	submit_write(&delivery->submit, received.s, received.len);
	submit_write(&delivery->submit, plugins->header.s, plugins->header.len);
	str_free(&received);
}

/* Passes bytes on up to the final dot, or up to what ends the session. */
static enum smtp_data_result
copy_message(struct smtp_session *session, struct delivery *delivery, int *got)
{
	enum smtp_data_result result = SMTP_DATA_MORE;

	while (result == SMTP_DATA_MORE && (*got = in_fill(session->in)) == 1) {
		struct span have = in_buffered(session->in), rest;
		size_t len;

		if (have.len > sizeof(session->decoded))
			have.len = sizeof(session->decoded);
		rest = have;
		result = smtp_data_decode(
		    &delivery->data, &rest, session->decoded, &len);
		in_skip(session->in, have.len - rest.len);
		if (is_looping(delivery) || is_too_big(session, delivery))
			drop(delivery);
		if (!delivery->is_dropped)
			submit_write(&delivery->submit, session->decoded, len);
	}
	return result;
}

/* The message is whole: hands the envelope over and says what came of it. */
static void
finish(struct smtp_session *session, struct delivery *delivery)
{
	struct submit *submit = &delivery->submit;
	const char *at = session->recipients.s;
	const char *end = at + session->recipients.len;
	const char *text;
	bool is_permanent;

	submit_from(submit, str_span(&session->sender));
	while (at < end) {
		struct span recipient = span_of(at);

		submit_to(submit, recipient);
		at += recipient.len + 1;
	}
	if (submit_finish(submit) == 0) {
		struct out *out = session->out;

		out_cstr(out, "250 ok ");
		out_u64(out, (uint64_t)clock_now());
		out_cstr(out, " qp ");
		out_u64(out, submit->qp);
		out_cstr(out, "\r\n");
		log_message(session, delivery, "accept", 250, NULL);
		return;
	}
	is_permanent = submit->text.len > 0 && submit->text.s[0] == 'D';
	text = submit->text.len > 0 ? submit->text.s + 1 : "";
	out_cstr(session->out, is_permanent ? "554 " : "451 ");
	smtp_reply_foreign(session, text);
	log_message(session, delivery, is_permanent ? "reject" : "defer",
	    is_permanent ? 554 : 451, text);
}

static enum smtp_next
refuse_line_end(struct smtp_session *session, struct delivery *delivery,
    enum smtp_data_result result)
{
	bool is_lf = result == SMTP_DATA_BARE_LF;

	drop(delivery);
	smtp_reply(session,
	    is_lf ? "451 See https://cr.yp.to/docs/smtplf.html."
		  : "451 Bare CR in the message: a line ends with CR LF.");
	log_message(
	    session, delivery, "defer", 451, is_lf ? "bare-lf" : "bare-cr");
	return SMTP_LEAVE;
}

enum smtp_next
smtp_receive(struct smtp_session *session)
{
	struct delivery delivery = {.is_dropped = false};
	enum smtp_next next = SMTP_GO_ON;
	enum smtp_data_result result;
	int got = 1;

	if (submit_open(&delivery.submit) == -1) {
		int code = submit_finish(&delivery.submit);

		smtp_reply(session, "451 qqt failure (#4.3.0)");
		log_message(
		    session, &delivery, "defer", 451, submit_code_text(code));
		goto end;
	}
	start(session, &delivery);
	smtp_reply(session, "354 go ahead");
	result = copy_message(session, &delivery, &got);
	if (result == SMTP_DATA_MORE) {
		drop(&delivery);
		log_message(session, &delivery, "drop", 0,
		    got == 0 ? "connection-lost"
			     : strerror(session->in->error));
		next = SMTP_BROKEN;
	} else if (result != SMTP_DATA_END) {
		next = refuse_line_end(session, &delivery, result);
	} else if (is_looping(&delivery)) {
		smtp_reply(session,
		    "554 too many hops, this message is looping (#5.4.6)");
		log_message(session, &delivery, "reject", 554, "loop");
	} else if (is_too_big(session, &delivery)) {
		smtp_reply(session,
		    "552 sorry, that message size exceeds my "
		    "databytes limit (#5.3.4)");
		log_message(session, &delivery, "reject", 552, "size");
	} else {
		finish(session, &delivery);
	}
end:
	str_free(&delivery.submit.text);
	smtp_session_reset(session);
	return next;
}
