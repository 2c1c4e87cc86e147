/*
 * address_list - the body of To, From and their like: its addresses, completed,
 * and the same body rewritten and folded
 * Source: RFC 822 section 6 and RFC 5322 section 3.4, read from right to left:
 * so a missing comma shows where two words meet, and a fault costs only what
 * is to the left of it. Pure.
 */
#ifndef MAIL_ADDRESS_LIST_H
#define MAIL_ADDRESS_LIST_H

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "mail/rewrite.h"

enum {
	ADDRESS_LIST_COLUMNS = 78, /* no line longer, if commas allow it */
};

struct address_list {
	struct str bytes; /* the addresses, one behind the other */
	size_t *ends;     /* offset in bytes where each of them ends */
	size_t count, room;
};

#define ADDRESS_LIST_INIT                                                      \
	{                                                                      \
		STR_INIT, NULL, 0, 0                                           \
	}

/*
 * Appends the addresses of a field body to *list, plain and completed, the
 * last one first; and to *shown, if it is not NULL, the body as it is to be
 * written: with one leading space, unless it is empty, folded, without the
 * final LF. column is how many bytes the line has before it ("To:" is 3).
 * Returns 0; -1 if the body has a fault: then *list has the addresses to the
 * right of it (none if a quote, bracket or comment is not closed) and *shown
 * is as it was.
 */
MUST_USE int address_list_parse(struct address_list *list, struct str *shown,
    size_t column, struct span body, const struct rewrite *rules);
/* Appends one address that is complete already. */
void address_list_add(struct address_list *list, struct span address);
/* index < count; valid until the list changes. */
struct span address_list_get(const struct address_list *list, size_t index);
void address_list_free(struct address_list *list);

#endif
