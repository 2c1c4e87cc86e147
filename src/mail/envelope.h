/*
 * envelope - the envelope that qmail-queue reads on descriptor 1
 *
 * "F" sender NUL, any number of "T" recipient NUL, one NUL more. Bytes behind
 * the last NUL are not looked at. Pure: bytes are fed as they come.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "base/attr.h"
#include "base/str.h"

enum envelope_event {
	ENVELOPE_MORE,      /* all bytes used: feed more */
	ENVELOPE_SENDER,    /* parser->address holds the sender */
	ENVELOPE_RECIPIENT, /* parser->address holds a recipient */
	ENVELOPE_END,       /* complete */
	ENVELOPE_BAD,       /* a wrong letter: exit 91 */
	ENVELOPE_TOO_LONG,  /* an address over ADDRESS_MAX bytes: exit 11 */
};

struct envelope_parser {
	int state;
	struct str address;
};

#define ENVELOPE_PARSER_INIT                                                   \
	{                                                                      \
		0, STR_INIT                                                    \
	}

/*
 * Takes bytes from the front of *input until something happened. Call again
 * with the rest. Frees nothing; envelope_parser_free does.
 */
MUST_USE enum envelope_event envelope_feed(
    struct envelope_parser *parser, struct span *input);
void envelope_parser_free(struct envelope_parser *parser);

#endif
