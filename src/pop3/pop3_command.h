/*
 * pop3_command - one line of the client: verb, argument, numbers
 * Source: RFC 1939, RFC 2449. Pure.
 */
#ifndef POP3_POP3_COMMAND_H
#define POP3_POP3_COMMAND_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum {
	POP3_LINE_MAX = 512, /* bytes of a command, its line end included */
};

/* What CAPA answers; before the login also POP3_CAPABILITIES_LOGIN. */
#define POP3_CAPABILITIES "TOP\r\nUSER\r\nUIDL\r\nPIPELINING\r\n"
#define POP3_CAPABILITIES_LOGIN "SASL PLAIN\r\n"

enum pop3_verb {
	POP3_UNKNOWN,
	POP3_APOP,
	POP3_AUTH,
	POP3_CAPA,
	POP3_DELE,
	POP3_LAST,
	POP3_LIST,
	POP3_NOOP,
	POP3_PASS,
	POP3_QUIT,
	POP3_RETR,
	POP3_RSET,
	POP3_STAT,
	POP3_TOP,
	POP3_UIDL,
	POP3_USER,
};

/*
 * Splits line, with or without its LF or CR LF, at the first space. *argument
 * lies in line, without the spaces that lead it; all others are kept.
 */
enum pop3_verb pop3_command_parse(struct span line, struct span *argument);

/*
 * Takes the digits at the front of *argument, and the spaces behind them, off
 * it. Returns 1, or 0 if it does not start with a digit. Saturates.
 */
MUST_USE int pop3_command_number(struct span *argument, uint64_t *number);

#endif
