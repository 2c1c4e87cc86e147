#include "accept/qmtp_session.h"

#include <errno.h>
#include <string.h>

#include "base/die.h"

/* What became of a recipient. */
enum fate {
	FATE_GIVEN = 'g', /* to the queue: it shares the message's verdict */
	FATE_HOST = 'h',
	FATE_ADDRESS = 'a',
};

void
qmtp_session_init(struct qmtp_session *session, struct in *in, struct out *out,
    const struct peer *peer)
{
	framed_mail_init(&session->mail, in, out, peer, "QMTP");
	session->hosts = (struct rcpthosts)RCPTHOSTS_INIT;
	session->fates = (struct str)STR_INIT;
	session->excess = session->refused = 0;
	session->is_bad_sender = false;
}

void
qmtp_session_free(struct qmtp_session *session)
{
	framed_mail_free(&session->mail);
	rcpthosts_free(&session->hosts);
	str_free(&session->fates);
}

/* ---- the message -----------------------------------------------------------
 */

/*
 * Makes LF of each CR LF in bytes[0..len), in place; every other CR and LF
 * stays. *has_cr: a CR was the last byte before, and still is to be decided
 * on; bytes[-1] is there to take it. Returns where the result starts, and its
 * length in *made.
 */
static char *
decode_lines(char *bytes, size_t len, bool *has_cr, size_t *made)
{
	char *from = bytes, *end = bytes + len, *start = bytes, *to;

	if (*has_cr && len > 0 && *from != '\n')
		*--start = '\r';
	to = bytes;
	while (from < end) {
		const char *cr = memchr(from, '\r', (size_t)(end - from));
		size_t part = (size_t)((cr == NULL ? end : cr) - from);

		memmove(to, from, part);
		to += part;
		from += part;
		if (cr == NULL)
			break;
		from++;
		if (from == end || *from != '\n')
			*to++ = '\r';
	}
	if (len > 0) {
		*has_cr = end[-1] == '\r';
		if (*has_cr)
			to--;
	}
	*made = (size_t)(to - start);
	return start;
}

static enum frame_result
copy_crlf(struct framed_mail *mail)
{
	struct frame *frame = &mail->frame;
	bool has_cr = false;
	size_t len, made;

	while (frame_left(frame) > 0) {
		enum frame_result result = frame_read(
		    frame, mail->chunk + 1, sizeof(mail->chunk) - 1, &len);
		char *start;

		if (result != FRAME_OK)
			return result;
		start = decode_lines(mail->chunk + 1, len, &has_cr, &made);
		framed_mail_write(mail, start, made);
	}
	if (has_cr)
		framed_mail_write(mail, "\r", 1);
	return FRAME_OK;
}

static enum frame_result
receive_message(struct framed_mail *mail)
{
	struct frame *frame = &mail->frame;
	enum frame_result result = frame_open(frame);
	size_t len;
	char mark;

	if (result == FRAME_OK)
		result = frame_read(frame, &mark, 1, &len);
	if (result != FRAME_OK)
		return result;
	if (len == 0 || (mark != '\n' && mark != '\r'))
		return FRAME_INVALID;
	framed_mail_start(mail);
	result = mark == '\n' ? framed_mail_copy(mail) : copy_crlf(mail);
	return result == FRAME_OK ? frame_close(frame) : result;
}

/* ---- the envelope ----------------------------------------------------------
 */

static enum frame_result
receive_sender(struct qmtp_session *session)
{
	struct framed_mail *mail = &session->mail;
	enum frame_result result;
	bool is_good;

	result = framed_mail_read_address(mail, FRAMED_ADDRESS_MAX, &is_good);
	if (result != FRAME_OK)
		return result;
	session->is_bad_sender = !is_good;
	if (!is_good)
		framed_mail_drop(mail);
	framed_mail_from(mail);
	return FRAME_OK;
}

static void
refuse(struct qmtp_session *session, enum fate fate, const char *why)
{
	str_append_char(&session->fates, (char)fate);
	session->refused++;
	if (session->refused <= QMTP_LOGGED_MAX)
		framed_mail_log_refusal(&session->mail, "reject", why);
}

/* Once one is too many, so are all behind it. */
static bool
is_full(struct qmtp_session *session)
{
	if (session->excess == 0 && session->fates.len < QMTP_RECIPIENTS_MAX &&
	    session->mail.recipients_size <= FRAMED_RECIPIENTS_SIZE_MAX)
		return false;
	if (session->excess++ == 0)
		framed_mail_log_refusal(&session->mail, "defer", "recipients");
	session->refused++;
	return true;
}

/* Decides on mail->address. Returns 0, or -1 with errno if rcpthosts cannot. */
static int
take_recipient(struct qmtp_session *session, bool is_good)
{
	struct framed_mail *mail = &session->mail;
	const char *relay = mail->peer->relay;
	int allowed = 1;

	if (is_full(session))
		return 0;
	if (!is_good) {
		refuse(session, FATE_ADDRESS, "address");
		return 0;
	}
	if (relay != NULL)
		str_append_cstr(&mail->address, relay);
	else
		allowed =
		    rcpthosts_allows(&session->hosts, str_span(&mail->address));
	if (allowed == -1)
		return -1;
	if (allowed == 0) {
		refuse(session, FATE_HOST, "rcpthosts");
		return 0;
	}
	str_append_char(&session->fates, FATE_GIVEN);
	framed_mail_to(mail);
	return 0;
}

static enum frame_result
receive_recipients(struct qmtp_session *session, bool *is_trouble)
{
	struct framed_mail *mail = &session->mail;
	struct frame *frame = &mail->frame;
	const char *relay = mail->peer->relay;
	size_t max = FRAMED_ADDRESS_MAX, extra = relay ? strlen(relay) : 0;
	enum frame_result result = frame_open(frame);

	/* an address this long is refused whether or not anything is added */
	max = extra > max ? 0 : max - extra;
	while (result == FRAME_OK && frame_left(frame) > 0) {
		size_t before = frame_left(frame);
		bool is_good;

		result = framed_mail_read_address(mail, max, &is_good);
		if (result != FRAME_OK)
			break;
		mail->recipients_size += before - frame_left(frame) + extra;
		if (extra > FRAMED_ADDRESS_MAX)
			is_good = false;
		if (take_recipient(session, is_good) == -1) {
			*is_trouble = true;
			return FRAME_OK;
		}
	}
	return result == FRAME_OK ? frame_close(frame) : result;
}

/* ---- the verdicts ----------------------------------------------------------
 */

static void
judge(struct qmtp_session *session)
{
	struct framed_mail *mail = &session->mail;

	if (mail->recipient_count == 0)
		framed_mail_drop(mail); /* there is nobody to tell */
	else if (mail->is_too_big)
		str_copy(&mail->verdict,
		    SPAN_LITERAL("Dsorry, that message size exceeds my "
				 "databytes limit (#5.3.4)"));
	else if (session->is_bad_sender)
		str_copy(&mail->verdict,
		    SPAN_LITERAL("Dunacceptable sender (#5.1.7)"));
	else
		framed_mail_finish(mail);
}

static void
reply(struct qmtp_session *session)
{
	struct framed_mail *mail = &session->mail;

	for (size_t i = 0; i < session->fates.len; i++) {
		struct span verdict = str_span(&mail->verdict);

		if (session->fates.s[i] == FATE_HOST)
			verdict =
			    SPAN_LITERAL("Dsorry, that domain isn't in my list "
					 "of allowed rcpthosts (#5.7.1)");
		else if (session->fates.s[i] == FATE_ADDRESS)
			verdict = SPAN_LITERAL(
			    "Dsorry, I can't handle that recipient (#5.1.3)");
		framed_mail_reply(mail, verdict);
	}
	for (; session->excess > 0; session->excess--)
		framed_mail_reply(
		    mail, SPAN_LITERAL("Zsorry, too many recipients (#4.5.3)"));
}

static enum frame_result
receive_one(struct qmtp_session *session, bool *is_trouble)
{
	struct framed_mail *mail = &session->mail;
	enum frame_result result;

	framed_mail_reset(mail);
	str_clear(&session->fates);
	session->excess = session->refused = 0;
	result = receive_message(mail);
	if (result == FRAME_OK)
		result = receive_sender(session);
	if (result == FRAME_OK)
		result = receive_recipients(session, is_trouble);
	if (result != FRAME_OK || *is_trouble)
		return result;
	judge(session);
	framed_mail_log(mail, session->refused);
	reply(session);
	return FRAME_OK;
}

int
qmtp_session_run(struct qmtp_session *session)
{
	struct framed_mail *mail = &session->mail;
	bool is_trouble = false;

	/* an end between two messages is the end that is expected */
	while (in_fill(mail->in) == 1) {
		enum frame_result result = receive_one(session, &is_trouble);

		if (is_trouble) {
			warn_sys("cannot read control/morercpthosts.cdb");
			framed_mail_drop(mail);
			return EXIT_TEMP;
		}
		if (result != FRAME_OK)
			return framed_mail_end(mail, result);
	}
	return EXIT_OK;
}
