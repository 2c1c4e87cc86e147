#include "accept/qmqp_session.h"

#include "base/die.h"

static enum frame_result
receive_message(struct framed_mail *mail)
{
	enum frame_result result = frame_open(&mail->frame);

	if (result != FRAME_OK)
		return result;
	framed_mail_start(mail);
	result = framed_mail_copy(mail);
	return result == FRAME_OK ? frame_close(&mail->frame) : result;
}

/* The sender, then recipients up to the end of the frame around them. */
static enum frame_result
receive_addresses(struct framed_mail *mail)
{
	struct frame *frame = &mail->frame;
	bool is_sender = true;

	do {
		size_t before = frame_left(frame);
		enum frame_result result;
		bool is_good;

		result = framed_mail_read_address(
		    mail, FRAMED_ADDRESS_MAX, &is_good);
		if (result != FRAME_OK)
			return result;
		mail->recipients_size += before - frame_left(frame);
		if (!is_good)
			str_copy(&mail->verdict,
			    SPAN_LITERAL("Dsorry, I can't accept addresses "
					 "like that (#5.1.3)"));
		else if (mail->verdict.len == 0 &&
		    mail->recipients_size > FRAMED_RECIPIENTS_SIZE_MAX)
			str_copy(&mail->verdict,
			    SPAN_LITERAL("Zsorry, too many recipients "
					 "(#4.5.3)"));
		if (mail->verdict.len > 0)
			framed_mail_drop(mail); /* it is all or nothing */
		if (is_sender)
			framed_mail_from(mail);
		else
			framed_mail_to(mail);
		is_sender = false;
	} while (frame_left(frame) > 0);
	return FRAME_OK;
}

int
qmqp_session_run(struct framed_mail *mail)
{
	enum frame_result result;

	if (in_fill(mail->in) != 1)
		return EXIT_OK; /* nobody said anything */
	result = frame_open(&mail->frame);
	if (result == FRAME_OK)
		result = receive_message(mail);
	if (result == FRAME_OK)
		result = receive_addresses(mail);
	if (result == FRAME_OK)
		result = frame_close(&mail->frame);
	if (result != FRAME_OK)
		return framed_mail_end(mail, result);
	if (mail->is_open)
		framed_mail_finish(mail);
	framed_mail_log(mail, 0);
	framed_mail_reply(mail, str_span(&mail->verdict));
	return EXIT_OK;
}
