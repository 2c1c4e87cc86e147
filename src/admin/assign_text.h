/*
 * assign_text - lines of users/assign from lines of /etc/passwd. Pure.
 */
#ifndef ADMIN_ASSIGN_TEXT_H
#define ADMIN_ASSIGN_TEXT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/* Borrowed from the line. */
struct assign_account {
	struct span user, home;
	uint64_t uid, gid;
};

struct assign_style {
	char delimiter;   /* between name and extension; '\0': no extensions */
	const char *dash; /* what follows .qmail: "-" or "-/" */
};

/* Reads user:password:uid:gid:comment:home:shell. 0, or -1 if line is not
   that: a field is missing, user is empty, a number is none, a NUL is in it. */
MUST_USE int assign_parse_account(
    struct span line, struct assign_account *account);
/* Takes what comes before the next colon, or all of it, off *rest. */
struct span assign_take_field(struct span *rest);

/* Appends the line that gives the account whatever no other line takes. */
void assign_append_rest(struct str *to, const struct assign_account *account,
    const struct assign_style *style);
/* Appends the lines for name, and for name with extensions. Its files are
   .qmail DASH pre ...; if pre is empty, .qmail itself for name alone. */
void assign_append_name(struct str *to, struct span name,
    const struct assign_account *account, struct span pre,
    const struct assign_style *style);

#endif
