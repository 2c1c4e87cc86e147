/*
 * smtp_command - one line of the client: verb, argument, SIZE parameter
 * Source: RFC 5321 section 4.1.1, RFC 1870 section 6. Pure.
 */
#ifndef ACCEPT_SMTP_COMMAND_H
#define ACCEPT_SMTP_COMMAND_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum smtp_verb {
	SMTP_UNKNOWN,
	SMTP_HELO,
	SMTP_EHLO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_VRFY,
	SMTP_HELP,
	SMTP_QUIT,
	SMTP_HTTP, /* a request of a web browser */
};

/*
 * Splits line, with or without its LF or CR LF, at the first space. *argument
 * lies in line, without the spaces that lead it.
 */
enum smtp_verb smtp_command_parse(struct span line, struct span *argument);

/*
 * Looks for SIZE=n among the parameters behind a path. Returns 1 and sets
 * *size_bytes (saturated at UINT64_MAX), or 0 if there is none with a number.
 */
MUST_USE int smtp_command_size(struct span parameters, uint64_t *size_bytes);

#endif
