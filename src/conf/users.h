/*
 * users - users/assign, and its compiled form users/cdb
 *
 * assign has a line for each rule, and ends with a line that starts with '.':
 *   =local:user:uid:gid:homedir:dash:ext:   exactly this local part
 *   +start:user:uid:gid:homedir:dash:pre:   what starts so; ext = pre + rest
 * Exact rules beat starts, longer starts beat shorter ones, the first of equal
 * rules wins; case does not matter.
 */
#ifndef CONF_USERS_H
#define CONF_USERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/cdb.h"
#include "base/span.h"
#include "base/str.h"

enum {
	USERS_ASSIGN_MAX = 1024 * 1024 * 1024, /* bytes of users/assign */
	USERS_DATA_MAX = 32 * 1024,            /* bytes of one entry */
};

/* Who gets the mail of a local part. Borrowed from the entry's bytes. */
struct users_entry {
	struct span user, homedir, dash, ext;
	uid_t uid;
	gid_t gid;
};

/*
 * Takes "user\0uid\0gid\0homedir\0dash\0ext" apart; one NUL more at the end is
 * as good. 0, or -1 if a field is missing, a number is none or does not fit,
 * or a NUL is left in ext.
 */
MUST_USE int users_parse_entry(struct span data, struct users_entry *entry);

/*
 * Looks local up in the database at path. Returns 1 and replaces *data with an
 * entry for users_parse_entry; 0 if there is no such file or no rule fits; -1
 * with errno (EINVAL: not a database that users_compile could have made).
 */
MUST_USE int users_find(const char *path, struct span local, struct str *data);

enum {
	USERS_OK = 0,
	USERS_BAD_LINE = -1, /* no first field, or fewer than 7 colons */
	USERS_NUL = -2,
	USERS_NO_END = -3, /* no line that starts with a dot */
	USERS_WRITE = -4,  /* the writer failed; errno */
};

/*
 * Adds the records for assign to writer, which is open and empty, and at the
 * end the record that lists the last bytes of all starts. Returns a code
 * above; *line is the line reached, from 1.
 */
MUST_USE int users_compile(
    struct span assign, struct cdb_writer *writer, size_t *line);

#endif
