/*
 * smtp_data - what follows DATA: line ends, dots, hops, size
 * Source: RFC 5321 sections 4.1.1.4, 4.5.2 and 2.3.8. Pure.
 *
 * Only CR LF ends a line and only CR LF . CR LF ends the message. An LF
 * without a CR before it, or a CR without an LF behind it, ends the decoding
 * for good: whatever passes it on could make another server see an end of
 * message that this one did not.
 */
#ifndef ACCEPT_SMTP_DATA_H
#define ACCEPT_SMTP_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum smtp_data_result {
	SMTP_DATA_MORE = 0,     /* all bytes used, the message goes on */
	SMTP_DATA_END = 1,      /* the final dot was read */
	SMTP_DATA_BARE_LF = -1, /* an LF without CR: nothing may be used */
	SMTP_DATA_BARE_CR = -2, /* a CR without LF: nothing may be used */
};

enum {
	SMTP_DATA_HOPS_MAX = 100, /* so many trace lines mean a loop */
	SMTP_DATA_WORD_MAX = 9,   /* strlen("Delivered") */
};

struct smtp_data {
	uint64_t size_bytes; /* of the message, as stored */
	unsigned hops;       /* header lines "Received" and "Delivered" */
	/* private */
	int state;
	bool in_body;
	size_t word_len; /* 0 only at the start of a line */
	char word[SMTP_DATA_WORD_MAX];
};

void smtp_data_init(struct smtp_data *data);

/*
 * Decodes bytes from the front of *input and takes them off; after
 * SMTP_DATA_END the rest is what follows the message. to must have room for
 * input->len bytes; *len becomes how many of them were written, lines ended by
 * LF. Not to be called again after another result than SMTP_DATA_MORE.
 */
MUST_USE enum smtp_data_result smtp_data_decode(
    struct smtp_data *data, struct span *input, char *to, size_t *len);

#endif
