#include "accept/smtp_data.h"

#include <string.h>

enum state {
	AT_START,     /* of a line */
	AFTER_DOT,    /* which was the first byte of the line */
	AFTER_DOT_CR, /* "." CR: only LF may follow, and ends all */
	IN_LINE,
	AFTER_CR, /* only LF may follow */
};

void
smtp_data_init(struct smtp_data *data)
{
	*data = (struct smtp_data){.state = AT_START};
}

/* Keeps the first bytes of a header line; they may come one by one. */
static void
note_word(struct smtp_data *data, const char *bytes, size_t len)
{
	size_t room = sizeof(data->word) - data->word_len;

	if (data->in_body)
		return;
	if (len > room)
		len = room;
	memcpy(data->word + data->word_len, bytes, len);
	data->word_len += len;
}

static void
end_line(struct smtp_data *data)
{
	struct span word = {data->word, data->word_len};

	if (data->in_body)
		return;
	if (word.len == 0)
		data->in_body = true;
	else if (span_starts_nocase(word, "received") ||
	    span_starts_nocase(word, "delivered"))
		data->hops++;
	data->word_len = 0;
}

/*
 * Copies the part of a line that lies in bytes[0..len), up to its CR if that
 * is there. Returns how many bytes it looked at; *copied is without the CR.
 */
static size_t
copy_line(const char *bytes, size_t len, char *to, size_t *copied,
    enum smtp_data_result *result, int *state)
{
	const char *lf = memchr(bytes, '\n', len);
	size_t limit = lf == NULL ? len : (size_t)(lf - bytes);
	const char *cr = memchr(bytes, '\r', limit);
	size_t end = cr == NULL ? limit : (size_t)(cr - bytes);

	memcpy(to, bytes, end);
	*copied = end;
	if (cr != NULL) {
		*state = AFTER_CR;
		return end + 1;
	}
	if (lf != NULL)
		*result = SMTP_DATA_BARE_LF;
	return end;
}

enum smtp_data_result
smtp_data_decode(
    struct smtp_data *data, struct span *input, char *to, size_t *len)
{
	enum smtp_data_result result = SMTP_DATA_MORE;
	const char *bytes = input->s;
	size_t size = input->len, i = 0, made = 0, part;

	while (i < size && result == SMTP_DATA_MORE) {
		char byte = bytes[i];

		switch (data->state) {
		case AT_START:
			data->state = byte == '.' ? AFTER_DOT : IN_LINE;
			if (byte == '.')
				i++;
			break;
		case AFTER_DOT:
			/* the dot is gone, whatever follows it */
			data->state = byte == '\r' ? AFTER_DOT_CR : IN_LINE;
			if (byte == '\r')
				i++;
			break;
		case AFTER_DOT_CR:
			result =
			    byte == '\n' ? SMTP_DATA_END : SMTP_DATA_BARE_CR;
			i++;
			break;
		case IN_LINE:
			i += copy_line(bytes + i, size - i, to + made, &part,
			    &result, &data->state);
			note_word(data, to + made, part);
			made += part;
			break;
		case AFTER_CR:
			if (byte != '\n') {
				result = SMTP_DATA_BARE_CR;
				break;
			}
			to[made++] = '\n';
			i++;
			end_line(data);
			data->state = AT_START;
			break;
		}
	}
	data->size_bytes += made;
	*input = span_from(*input, i);
	*len = made;
	return result;
}
