#include "pop3/pop3_text.h"

#include <string.h>
#include <unistd.h>

enum {
	FILE_CHUNK = 32 * 1024, /* bytes read at a time */
};

void
pop3_text_init(struct pop3_text *text, uint64_t lines)
{
	*text = (struct pop3_text){.lines_left = lines};
}

static void
end_line(struct pop3_text *text, struct out *out)
{
	bool is_empty = !text->is_in_line;

	out_cstr(out, "\r\n");
	text->is_in_line = false;
	if (text->is_body && text->lines_left != POP3_TEXT_ALL)
		text->lines_left--;
	if (is_empty)
		text->is_body = true;
	text->is_done = text->is_body && text->lines_left == 0;
}

void
pop3_text_write(struct pop3_text *text, struct out *out, struct span bytes)
{
	while (bytes.len > 0 && !text->is_done) {
		size_t lf = span_find(bytes, '\n');
		struct span line =
		    lf == SPAN_NONE ? bytes : span_until(bytes, lf);

		if (line.len > 0) {
			if (!text->is_in_line && line.s[0] == '.')
				out_cstr(out, ".");
			text->is_in_line = true;
			out_span(out, line);
		}
		bytes = span_from(bytes, line.len);
		if (lf != SPAN_NONE) {
			bytes = span_from(bytes, 1);
			end_line(text, out);
		}
	}
}

void
pop3_text_end(struct pop3_text *text, struct out *out)
{
	if (text->is_in_line)
		end_line(text, out);
	out_cstr(out, ".\r\n");
}

int
pop3_text_send(struct out *out, int fd, uint64_t lines)
{
	char buf[FILE_CHUNK];
	struct pop3_text text;
	ssize_t got = 0;

	pop3_text_init(&text, lines);
	while (!text.is_done && out->error == 0 &&
	    (got = read(fd, buf, sizeof(buf))) > 0)
		pop3_text_write(&text, out, (struct span){buf, (size_t)got});
	if (got == -1)
		return -1;
	pop3_text_end(&text, out);
	return 0;
}

void
pop3_octets_init(struct pop3_octets *octets)
{
	*octets = (struct pop3_octets){0};
}

void
pop3_octets_add(struct pop3_octets *octets, struct span bytes)
{
	const char *at = bytes.s, *end = bytes.s + bytes.len;

	if (bytes.len == 0)
		return;
	octets->octets += bytes.len;
	octets->is_in_line = end[-1] != '\n';
	while (
	    at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		octets->octets++;
		at++;
	}
}

uint64_t
pop3_octets_total(const struct pop3_octets *octets)
{
	return octets->octets + (octets->is_in_line ? 2 : 0);
}
