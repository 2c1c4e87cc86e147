/*
 * password_file - the lines of users/passwd: "user:hash:uid:gid:home"
 *
 * hash is what crypt(3) makes. uid and gid may both be empty, home may be
 * empty, and missing fields count as empty. Empty lines and lines that start
 * with '#' are skipped. The first line of a user counts. Pure.
 */
#ifndef POP3_PASSWORD_FILE_H
#define POP3_PASSWORD_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

enum {
	PASSWORD_FILE_MAX = 64 * 1024 * 1024, /* bytes of the whole file */
	PASSWORD_USER_MAX = 255,              /* bytes of a name */
};

struct password_entry {
	struct span hash, home; /* borrowed from the text */
	bool has_ids;           /* uid and gid are given */
	uint32_t uid, gid;
};

enum password_result {
	PASSWORD_FOUND = 1,
	PASSWORD_NO_USER = 0,
	PASSWORD_BAD_LINE = -1, /* the user's line makes no sense */
};

/* Looks for user, whose case counts. Sets *entry if it is found. */
MUST_USE enum password_result password_file_find(
    struct span text, struct span user, struct password_entry *entry);

#endif
