/*
 * rewrite - completes short addresses with the names of this host
 *
 * The rules, in order: an empty address and anything at "[]" stay as they are;
 * a source route goes; one trailing dot goes; a trailing '@' goes; without '@'
 * the default host is added; a last atom that ends in '+' gets the plus domain
 * in place of it; a domain without a dot that is no literal gets the default
 * domain. The domain is what follows the last '@'. Case is kept. Pure.
 */
#ifndef MAIL_REWRITE_H
#define MAIL_REWRITE_H

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "mail/token.h"

struct rewrite {
	struct str host;   /* "@" and the default host, itself completed */
	struct str domain; /* "." and the default domain */
	struct str plus;   /* "." and the plus domain */
};

#define REWRITE_INIT                                                           \
	{                                                                      \
		STR_INIT, STR_INIT, STR_INIT                                   \
	}

/* Control bytes in the three names become '?', as they end up in headers. */
void rewrite_set(struct rewrite *rules, struct span defaulthost,
    struct span defaultdomain, struct span plusdomain);
void rewrite_free(struct rewrite *rules);

/*
 * Appends the completed form of local@host, both plain bytes: the local part
 * stays as it is, whatever it holds. has_host tells "x@" from "x". To an empty
 * local part without a host nothing is added.
 */
void rewrite_append(struct str *to, const struct rewrite *rules,
    struct span local, bool has_host, struct span host);
/* The same for one address argument, split at its last '@'. */
void rewrite_append_plain(
    struct str *to, const struct rewrite *rules, struct span address);

/*
 * What becomes of an address in tokens: the tokens from first up to end, the
 * last of them cut by chop bytes, then suffix. Comments in between are no part
 * of it. first == end: the empty address.
 */
struct rewrite_plan {
	size_t first, end, chop;
	struct span suffix; /* borrowed from the rules */
};

struct rewrite_plan rewrite_tokens(const struct rewrite *rules,
    const struct token_list *list, size_t first, size_t end);

#endif
