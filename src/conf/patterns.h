/*
 * patterns - a control file with one regular expression a line
 * Source: POSIX.1-2008, extended regular expressions.
 *
 * Trimmed and commented like any list. A line matches a text if the expression
 * is found anywhere in it, without regard to case; a line that starts with '!'
 * matches if it is not found. A line that is the text, or "@" and its domain,
 * letter by letter, matches too: so lists of plain addresses do what they say
 * even if there is a '+' in them.
 */
#ifndef CONF_PATTERNS_H
#define CONF_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	PATTERNS_MAX = 10000, /* of one set: each is tried on each address */
	PATTERNS_LINE_MAX = 1000, /* bytes of one expression */
};

struct pattern;

struct patterns {
	struct pattern *all;
	size_t count, room;
};

#define PATTERNS_INIT                                                          \
	{                                                                      \
		NULL, 0, 0                                                     \
	}

/*
 * Adds the lines of the file; a missing file adds none. Returns 0; -1 with
 * errno if it cannot be read, or with EINVAL and a sentence that names file,
 * line and cause in *trouble if a line is no expression.
 */
MUST_USE int patterns_load(
    struct patterns *patterns, const char *path, struct str *trouble);
/* True if any line matches text, which has no NUL before its end. */
bool patterns_match(const struct patterns *patterns, const struct str *text);
/* True if line can be an expression; else *cause says why not. */
bool pattern_is_valid(struct span line, struct str *cause);
void patterns_free(struct patterns *patterns);

#endif
