/* a message as RETR and TOP send it: decoded again it is the same, whatever
   the pieces in which it was read, and has as many octets as LIST says */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "pop3/pop3_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
send_text(struct out *out, struct span message, size_t step, uint64_t lines,
    struct pop3_octets *octets)
{
	struct pop3_text text;

	pop3_text_init(&text, lines);
	pop3_octets_init(octets);
	while (message.len > 0) {
		struct span piece = span_until(
		    message, step < message.len ? step : message.len);

		message = span_from(message, piece.len);
		pop3_text_write(&text, out, piece);
		pop3_octets_add(octets, piece);
	}
	pop3_text_end(&text, out);
}

/* What a client keeps: no final dot, no doubled dots. Returns how much. */
static size_t
receive(char *sent, size_t len)
{
	size_t kept = 0;
	bool at_start = true;

	if (len < 3 || memcmp(sent + len - 3, ".\r\n", 3) != 0)
		abort();
	for (size_t i = 0; i < len - 3; i++) {
		if (at_start && sent[i] == '.' && sent[i + 1] == '\r' &&
		    sent[i + 2] == '\n')
			abort(); /* the end, too early */
		if (!at_start || sent[i] != '.')
			sent[kept++] = sent[i];
		at_start = sent[i] == '\n';
	}
	return kept;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size > 0 ? (data[0] & 15) + 1u : 1;
	struct span message = {
	    (const char *)data + (size > 0), size - (size > 0)};
	struct pop3_octets octets;
	struct out out;
	size_t room = 3 * size + 16, kept, at = 0;
	char *buf = malloc(room);

	if (buf == NULL)
		abort();
	/* large enough never to be flushed */
	out_init(&out, -1, 0, buf, room);
	send_text(&out, message, step, POP3_TEXT_ALL, &octets);
	kept = receive(buf, out.len);
	if (kept != pop3_octets_total(&octets))
		abort();
	for (size_t i = 0; i < message.len; i++) {
		if (message.s[i] == '\n' && buf[at++] != '\r')
			abort();
		if (buf[at++] != message.s[i])
			abort();
	}
	if (at != kept &&
	    (at + 2 != kept || message.s[message.len - 1] == '\n'))
		abort();
	out.len = 0;
	send_text(&out, message, step, step - 1, &octets);
	(void)receive(buf, out.len);
	free(buf);
	return 0;
}
