/*
 * getpw - whose mail a local part is, by the passwd database; and what
 *         qmail-lspawn and a qmail-getpw that is kept running say to each other
 *
 * A query is a netstring, the local part. The answer is two netstrings, the
 * local part again (so that no answer can be taken for another's) and one of
 *   "K" user\0uid\0gid\0homedir\0dash\0ext\0    the entry
 *   "E" code                                    what the program would exit
 * with One answer for each query, in their order.
 */
#ifndef LOCAL_GETPW_H
#define LOCAL_GETPW_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	GETPW_LOCAL_MAX = 4096, /* bytes of a local part */
	GETPW_ANSWER_MAX = 32 * 1024,
	GETPW_NAME_MAX = 31, /* bytes of an account's name */

	GETPW_NFS = 115,      /* a home could not be looked at just now */
	GETPW_NO_ALIAS = 116, /* the account that takes the rest is missing */
	GETPW_SYSTEM = 118,   /* the database could not be asked just now */
};

struct getpw_site {
	bool alone;        /* one account for all (conf/accounts.h) */
	uid_t me;          /* that account, if alone */
	gid_t my_group;    /* the same */
	const char *home;  /* qmail's home directory */
	const char *alias; /* name of the account that takes the rest */
};

/* Replaces *entry. 0, or an exit code above. */
MUST_USE int getpw_find(
    const struct getpw_site *site, struct span local, struct str *entry);

#endif
