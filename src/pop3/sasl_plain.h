/*
 * sasl_plain - user and password as AUTH PLAIN sends them
 * Source: RFC 4616, base64 as in RFC 4648 section 4. Pure.
 */
#ifndef POP3_SASL_PLAIN_H
#define POP3_SASL_PLAIN_H

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/*
 * Decodes the base64 text of "authorization NUL user NUL password". The first
 * part must be empty or the same user. Replaces *decoded and sets *user and
 * *password, which lie in it. Returns 0, or -1 if text is anything else.
 */
MUST_USE int sasl_plain_decode(struct span text, struct str *decoded,
    struct span *user, struct span *password);

#endif
