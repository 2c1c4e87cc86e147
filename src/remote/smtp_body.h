/*
 * smtp_body - a stored message as the bytes that follow DATA
 * Source: RFC 5321 sections 2.3.8 and 4.5.2. Pure.
 *
 * LF becomes CRLF, CRLF stays. A CR that no LF follows is never sent alone: it
 * becomes CRLF too, since some receivers would take it for a line end. Dots
 * are doubled after every CRLF that leaves, whatever it was made from; so no
 * message can forge the end of data. A last line without its end gets one.
 */
#ifndef REMOTE_SMTP_BODY_H
#define REMOTE_SMTP_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

struct smtp_body {
	bool in_line; /* bytes of an unfinished line have left */
	bool has_cr;  /* a CR is held back until the next byte */
};

#define SMTP_BODY_INIT                                                         \
	{                                                                      \
		false, false                                                   \
	}

/* Appends to *to what the next part of the message becomes. */
void smtp_body_encode(struct smtp_body *body, struct span part, struct str *to);
/* Ends the last line if need be, then appends the final dot and CRLF. */
void smtp_body_finish(struct smtp_body *body, struct str *to);

/* What the message will be in transit, doubled dots not counted (RFC 1870). */
struct smtp_measure {
	uint64_t size_bytes;
	bool has_8bit;
	bool in_line, has_cr;
};

#define SMTP_MEASURE_INIT                                                      \
	{                                                                      \
		0, false, false, false                                         \
	}

void smtp_measure_add(struct smtp_measure *measure, struct span part);
void smtp_measure_finish(struct smtp_measure *measure);

#endif
