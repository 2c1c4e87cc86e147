#include "remote/smtp_body.h"

#include <string.h>

static void
end_line(struct smtp_body *body, struct str *to)
{
	str_append(to, "\r\n", 2);
	body->in_line = false;
}

/* Length of the front of part that has neither CR nor LF. */
static size_t
plain_len(struct span part)
{
	const char *lf = memchr(part.s, '\n', part.len);
	size_t len = lf == NULL ? part.len : (size_t)(lf - part.s);
	const char *cr = memchr(part.s, '\r', len);

	return cr == NULL ? len : (size_t)(cr - part.s);
}

void
smtp_body_encode(struct smtp_body *body, struct span part, struct str *to)
{
	str_reserve(to, part.len + part.len / 16);
	while (part.len > 0) {
		size_t len;

		if (body->has_cr) {
			/* its line ends here, with its own LF or without */
			body->has_cr = false;
			end_line(body, to);
			if (part.s[0] == '\n') {
				part = span_from(part, 1);
				continue;
			}
		}
		len = plain_len(part);
		if (len > 0) {
			if (!body->in_line && part.s[0] == '.')
				str_append_char(to, '.');
			str_append(to, part.s, len);
			body->in_line = true;
			part = span_from(part, len);
			continue;
		}
		if (part.s[0] == '\r')
			body->has_cr = true;
		else
			end_line(body, to);
		part = span_from(part, 1);
	}
}

void
smtp_body_finish(struct smtp_body *body, struct str *to)
{
	if (body->has_cr || body->in_line)
		end_line(body, to);
	body->has_cr = false;
	str_append(to, ".\r\n", 3);
}

void
smtp_measure_add(struct smtp_measure *measure, struct span part)
{
	for (size_t i = 0; i < part.len; i++) {
		unsigned char byte = (unsigned char)part.s[i];

		if (byte == '\n') {
			measure->size_bytes += 2;
			measure->in_line = measure->has_cr = false;
			continue;
		}
		if (measure->has_cr) { /* a bare one: a line end of its own */
			measure->size_bytes += 2;
			measure->in_line = measure->has_cr = false;
		}
		if (byte == '\r') {
			measure->has_cr = true;
			continue;
		}
		if (byte > 127)
			measure->has_8bit = true;
		measure->in_line = true;
		measure->size_bytes++;
	}
}

void
smtp_measure_finish(struct smtp_measure *measure)
{
	if (measure->has_cr || measure->in_line)
		measure->size_bytes += 2;
	measure->has_cr = measure->in_line = false;
}
