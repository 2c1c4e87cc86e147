#include "accept/framed_mail.h"

#include <string.h>
#include <unistd.h>

#include "accept/log_line.h"
#include "base/clock.h"
#include "base/die.h"

void
framed_mail_init(struct framed_mail *mail, struct in *in, struct out *out,
    const struct peer *peer, const char *protocol)
{
	mail->in = in;
	mail->out = out;
	mail->peer = peer;
	mail->protocol = protocol;
	mail->databytes = 0;
	mail->pid = getpid();
	frame_init(&mail->frame, in);
	mail->submit.text = (struct str)STR_INIT;
	mail->is_open = false;
	mail->sender = mail->recipient = mail->address = mail->verdict =
	    (struct str)STR_INIT;
	framed_mail_reset(mail);
}

void
framed_mail_reset(struct framed_mail *mail)
{
	framed_mail_drop(mail);
	mail->is_too_big = false;
	mail->size_bytes = 0;
	mail->recipient_count = mail->recipients_size = 0;
	str_clear(&mail->sender);
	str_clear(&mail->recipient);
	str_clear(&mail->verdict);
	str_free(&mail->submit.text);
}

void
framed_mail_free(struct framed_mail *mail)
{
	str_free(&mail->submit.text);
	str_free(&mail->sender);
	str_free(&mail->recipient);
	str_free(&mail->address);
	str_free(&mail->verdict);
}

/* ---- on the way to the queue -----------------------------------------------
 */

void
framed_mail_start(struct framed_mail *mail)
{
	struct str received = STR_INIT;

	mail->is_open = true;
	if (submit_open(&mail->submit) == -1)
		return; /* why, framed_mail_finish will say */
	peer_append_received(mail->peer, &received, NULL, mail->protocol);
	submit_write(&mail->submit, received.s, received.len);
	str_free(&received);
}

void
framed_mail_write(struct framed_mail *mail, const char *bytes, size_t len)
{
	mail->size_bytes += len; /* a frame's size: it cannot wrap */
	if (mail->databytes != 0 && mail->size_bytes > mail->databytes) {
		mail->is_too_big = true;
		framed_mail_drop(mail);
	}
	if (mail->is_open)
		submit_write(&mail->submit, bytes, len);
}

enum frame_result
framed_mail_copy(struct framed_mail *mail)
{
	size_t len;

	while (frame_left(&mail->frame) > 0) {
		enum frame_result result = frame_read(
		    &mail->frame, mail->chunk, sizeof(mail->chunk), &len);

		if (result != FRAME_OK)
			return result;
		framed_mail_write(mail, mail->chunk, len);
	}
	return FRAME_OK;
}

enum frame_result
framed_mail_read_address(struct framed_mail *mail, size_t max, bool *is_good)
{
	struct frame *frame = &mail->frame;
	enum frame_result result = frame_open(frame);
	size_t len;

	str_clear(&mail->address);
	if (result != FRAME_OK)
		return result;
	*is_good = frame_left(frame) <= max;
	while (frame_left(frame) > 0) {
		result =
		    frame_read(frame, mail->chunk, sizeof(mail->chunk), &len);
		if (result != FRAME_OK)
			return result;
		/* of what is too long only the log shows something */
		if (len > FRAMED_ADDRESS_MAX - mail->address.len)
			len = FRAMED_ADDRESS_MAX - mail->address.len;
		str_append(&mail->address, mail->chunk, len);
	}
	if (span_find(str_span(&mail->address), '\0') != SPAN_NONE)
		*is_good = false;
	return frame_close(frame);
}

void
framed_mail_from(struct framed_mail *mail)
{
	str_copy(&mail->sender, str_span(&mail->address));
	if (mail->is_open)
		submit_from(&mail->submit, str_span(&mail->sender));
}

void
framed_mail_to(struct framed_mail *mail)
{
	if (mail->recipient_count++ == 0)
		str_copy(&mail->recipient, str_span(&mail->address));
	if (mail->is_open)
		submit_to(&mail->submit, str_span(&mail->address));
}

void
framed_mail_drop(struct framed_mail *mail)
{
	if (mail->is_open)
		submit_abort(&mail->submit);
	mail->is_open = false;
}

/* Words that are not ours: a NUL or a line end in them could hide the rest. */
static void
copy_foreign(struct str *verdict, struct span text)
{
	bool is_permanent = text.len > 0 && text.s[0] == 'D';

	str_clear(verdict);
	str_append_char(verdict, is_permanent ? 'D' : 'Z');
	for (size_t i = 1; i < text.len; i++)
		str_append_char(verdict,
		    text.s[i] >= ' ' && text.s[i] <= '~' ? text.s[i] : '?');
}

void
framed_mail_finish(struct framed_mail *mail)
{
	struct submit *submit = &mail->submit;

	mail->is_open = false;
	if (submit_finish(submit) != 0) {
		copy_foreign(&mail->verdict, str_span(&submit->text));
		return;
	}
	str_copy(&mail->verdict, SPAN_LITERAL("Kok "));
	str_append_u64(&mail->verdict, (uint64_t)clock_now());
	str_append_cstr(&mail->verdict, " qp ");
	str_append_u64(&mail->verdict, submit->qp);
}

void
framed_mail_reply(struct framed_mail *mail, struct span verdict)
{
	out_u64(mail->out, verdict.len);
	out_cstr(mail->out, ":");
	out_span(mail->out, verdict);
	out_cstr(mail->out, ",");
}

/* ---- the log ---------------------------------------------------------------
 */

static void
start_line(
    const struct framed_mail *mail, struct str *line, const struct str *to)
{
	log_line_add(line, "ip", span_of(mail->peer->ip));
	log_line_add(line, "from", str_span(&mail->sender));
	log_line_add(line, "to", str_span(to));
}

static void
end_line(const struct framed_mail *mail, struct str *line, const char *result,
    const char *why)
{
	log_line_add(line, "result", span_of(result));
	if (why != NULL)
		log_line_add(line, "why", span_of(why));
	if (why == NULL) /* it was accepted */
		log_line_add_u64(line, "qp", mail->submit.qp);
	warn_plain("pid=%ld %s", (long)mail->pid, line->s);
	str_free(line);
}

void
framed_mail_log_refusal(
    const struct framed_mail *mail, const char *result, const char *why)
{
	struct str line = STR_INIT;

	start_line(mail, &line, &mail->address);
	end_line(mail, &line, result, why);
}

static void
log_message(const struct framed_mail *mail, size_t refused, const char *result,
    const char *why)
{
	struct str line = STR_INIT;

	start_line(mail, &line, &mail->recipient);
	log_line_add_u64(&line, "rcpts", mail->recipient_count);
	if (refused > 0)
		log_line_add_u64(&line, "refused", refused);
	log_line_add_u64(&line, "size", mail->size_bytes);
	end_line(mail, &line, result, why);
}

void
framed_mail_log(const struct framed_mail *mail, size_t refused)
{
	const char *verdict = mail->verdict.s;

	if (verdict[0] == 'K')
		log_message(mail, refused, "accept", NULL);
	else if (verdict[0] == 'D')
		log_message(mail, refused, "reject", verdict + 1);
	else if (verdict[0] == 'Z')
		log_message(mail, refused, "defer", verdict + 1);
	else
		log_message(mail, refused, "drop", "no-recipients");
}

int
framed_mail_end(struct framed_mail *mail, enum frame_result result)
{
	framed_mail_drop(mail);
	switch (result) {
	case FRAME_INVALID:
		log_message(mail, 0, "reject", "protocol");
		return EXIT_PERM;
	case FRAME_TOO_BIG:
		log_message(mail, 0, "defer", "length");
		return EXIT_TEMP;
	case FRAME_LOST:
	case FRAME_OK:
		break;
	}
	log_message(mail, 0, "drop",
	    mail->in->error == 0 ? "connection-lost"
				 : strerror(mail->in->error));
	return EXIT_OK;
}
