#include "remote/smtp_reply.h"

void
smtp_reply_reset(struct smtp_reply *reply)
{
	struct str text = reply->text;

	str_clear(&text);
	*reply = (struct smtp_reply)SMTP_REPLY_INIT;
	reply->text = text;
}

void
smtp_reply_free(struct smtp_reply *reply)
{
	str_free(&reply->text);
}

static bool
is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

static unsigned
read_code(const struct smtp_reply *reply)
{
	const char *head = reply->head;

	if (reply->line_len < 3 || head[0] < '2' || head[0] > '5' ||
	    !is_digit(head[1]) || !is_digit(head[2]))
		return 0;
	/* "2500 ok" or "250ok" is no code */
	if (reply->line_len > 3 && head[3] != ' ' && head[3] != '-' &&
	    head[3] != '\t' && head[3] != '\r')
		return 0;
	return (unsigned)(head[0] - '0') * 100 +
	    (unsigned)(head[1] - '0') * 10 + (unsigned)(head[2] - '0');
}

static void
keep(struct smtp_reply *reply, char byte)
{
	if (byte == '\r' || reply->text.len >= SMTP_REPLY_TEXT_MAX - 1 ||
	    reply->line_kept >= SMTP_REPLY_LINE_MAX - 1)
		return;
	str_append_char(&reply->text, byte == '\0' ? '?' : byte);
	reply->line_kept++;
}

/* At an LF. */
static enum smtp_reply_event
end_line(struct smtp_reply *reply)
{
	bool goes_on = reply->line_len > 3 && reply->head[3] == '-';

	if (reply->in_first)
		reply->code = read_code(reply);
	/* keep() left room for the last LF; lines dropped whole need none */
	if (reply->text.len < SMTP_REPLY_TEXT_MAX &&
	    (reply->line_kept > 0 || reply->text.len < SMTP_REPLY_TEXT_MAX - 1))
		str_append_char(&reply->text, '\n');
	reply->in_first = false;
	reply->line_len = reply->line_kept = 0;
	if (reply->code == 0)
		return SMTP_REPLY_BROKEN;
	return goes_on ? SMTP_REPLY_MORE : SMTP_REPLY_DONE;
}

enum smtp_reply_event
smtp_reply_feed(struct smtp_reply *reply, struct span *input)
{
	while (input->len > 0) {
		char byte = input->s[0];
		enum smtp_reply_event event;

		*input = span_from(*input, 1);
		if (++reply->bytes > SMTP_REPLY_BYTES_MAX) {
			reply->code = 0;
			return SMTP_REPLY_BROKEN;
		}
		if (byte != '\n') {
			if (reply->line_len < sizeof(reply->head))
				reply->head[reply->line_len] = byte;
			reply->line_len++;
			keep(reply, byte);
			continue;
		}
		event = end_line(reply);
		if (event != SMTP_REPLY_MORE)
			return event;
	}
	return SMTP_REPLY_MORE;
}
