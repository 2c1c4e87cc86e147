/*
 * uucp - the envelope of a message that came over UUCP
 * Source: RFC 976 (2.1 and 2.4): "From user date remote from host" lines, bang
 * paths. Pure.
 */
#ifndef INJECT_UUCP_H
#define INJECT_UUCP_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum uucp_result {
	UUCP_NONE = 0, /* no From_ line: there is no sender */
	UUCP_FOUND = 1,
	UUCP_WRONG = -1, /* a From_ line without a user, or with NUL in it */
};

/*
 * Reads the From_ lines (those that start with "From " or ">From ") at the
 * start of text. Replaces *path by the way back: the hosts in their order,
 * nearest first, and the user of the last line, with '!' in between. A line
 * without "remote from" adds no host. *used is how many bytes the lines have; a
 * line that the text does not hold up to its LF is none, unless is_all.
 */
MUST_USE enum uucp_result uucp_take_from(
    struct span text, bool is_all, struct str *path, size_t *used);
/*
 * Appends the address that a path means to somebody with domains: "a!b!c" is
 * "b!c@a". What has an '@', or no host, stays as it is (an '@' in the last part
 * makes that part the whole address, if is_sender). The senders "<>" and
 * "MAILER-DAEMON" (at any host) are the null address.
 */
void uucp_append_address(struct str *to, struct span path, bool is_sender);

#endif
