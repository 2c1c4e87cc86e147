/*
 * accounts - the uids and gids behind the names in conf-users
 *
 * Looked up by name when a daemon starts. An ordinary user runs a whole
 * instance alone: if the process is not root and not the qmailq, qmails,
 * qmailr or qmailp account, every role is the process's own uid and gid.
 * Needs the passwd database (NSS): not for the small static programs.
 */
#ifndef CONF_ACCOUNTS_H
#define CONF_ACCOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

struct accounts {
	bool alone; /* one uid for all */
	uid_t alias, qmaild, qmaill, owner, qmailp, qmailq, qmailr, qmails;
	gid_t qmail, nofiles;
	gid_t alias_gid; /* the alias account's own group */
};

/*
 * Fills *accounts. Returns NULL, or the name that is not in the database; then
 * errno says why (0: it is simply not there).
 */
MUST_USE const char *accounts_load(struct accounts *accounts);

#endif
