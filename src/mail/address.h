/*
 * address - addresses as bytes: splitting, quoting, SMTP paths
 * Source: RFC 5321 section 4.1.2, with the quoting rules of qmail.
 *
 * Inside cqmail an address is plain bytes without quotes or backslashes; what
 * follows the last '@' is its domain. Only what is written out for others
 * (SMTP, header lines) is quoted again. Pure.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	ADDRESS_MAX = 1002, /* bytes; the queue takes no longer one */
};

/* Offset of the last '@', or SPAN_NONE. */
size_t address_at(struct span address);
/* What follows the last '@'; without one, the empty span. */
struct span address_domain(struct span address);
/* What precedes the last '@'; without one, the whole address. */
struct span address_local(struct span address);

/* True if a local part must be quoted when it is written out. */
bool address_needs_quotes(struct span local);
/* Appends the address with its local part quoted if needed. An empty address
   stays empty; one without '@' is taken as a local part. */
void address_append_quoted(struct str *to, struct span address);

/*
 * Reads the argument of MAIL or RCPT ("FROM:<a@b> SIZE=1"): what is between
 * the first '<' and the next unquoted '>' (or the end), or without '<' what
 * follows the first colon up to a space. Drops a source route, quotes and
 * backslashes. Replaces *address; if rest is not NULL, *rest is what follows
 * the path in argument (the parameters). Returns 0; -1 if neither '<' nor ':'
 * is there, then *address is empty.
 */
MUST_USE int address_parse_path(
    struct span argument, struct str *address, struct span *rest);

/* Appends bytes with LF as "_"; with log set also '%', bytes under 33 and
   over 126 as "_" and LF as "/", as qmail-send writes its log. */
void address_append_safe(struct str *to, struct span bytes, bool log);

#endif
