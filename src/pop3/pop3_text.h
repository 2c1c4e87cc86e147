/*
 * pop3_text - a stored message as POP3 sends it, and how many octets that is
 * Source: RFC 1939 sections 3 and 11. Pure.
 *
 * Each LF becomes CR LF, a line that starts with a dot gets a second one, a
 * last line without LF is completed. The octets of a message are counted as
 * the client has them in the end: line ends of two, without the extra dots.
 */
#ifndef POP3_POP3_TEXT_H
#define POP3_POP3_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/out.h"
#include "base/span.h"

#define POP3_TEXT_ALL UINT64_MAX /* lines: the whole message */

struct pop3_text {
	uint64_t lines_left; /* of the body, for TOP */
	bool is_body;        /* past the first empty line */
	bool is_in_line;     /* something of the current line was written */
	bool is_done;        /* enough was written: the rest is not looked at */
};

/* lines: of the body behind the header, or POP3_TEXT_ALL. */
void pop3_text_init(struct pop3_text *text, uint64_t lines);
/* Writes the next bytes of the message to out. */
void pop3_text_write(
    struct pop3_text *text, struct out *out, struct span bytes);
/* Completes the last line and writes the final dot. */
void pop3_text_end(struct pop3_text *text, struct out *out);

/* All of that for the file fd, from where it stands. 0, or -1 with errno if it
   cannot be read to its end; then the dot is missing. */
MUST_USE int pop3_text_send(struct out *out, int fd, uint64_t lines);

struct pop3_octets {
	uint64_t octets; /* so far, the last line being complete */
	bool is_in_line;
};

void pop3_octets_init(struct pop3_octets *octets);
void pop3_octets_add(struct pop3_octets *octets, struct span bytes);
/* The count for the whole message. */
uint64_t pop3_octets_total(const struct pop3_octets *octets);

#endif
