#include "conf/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "base/attr.h"
#include "config.h"

struct user_role {
	const char *name;
	uid_t *uid;
	gid_t *gid; /* or NULL */
};

static const char *
load_users(const struct user_role *roles, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct passwd *entry;

		errno = 0;
		entry = getpwnam(roles[i].name);
		if (entry == NULL)
			return roles[i].name;
		*roles[i].uid = entry->pw_uid;
		if (roles[i].gid != NULL)
			*roles[i].gid = entry->pw_gid;
	}
	return NULL;
}

static const char *
load_group(const char *name, gid_t *gid)
{
	struct group *entry;

	errno = 0;
	entry = getgrnam(name);
	if (entry == NULL)
		return name;
	*gid = entry->gr_gid;
	return NULL;
}

static void
become_alone(struct accounts *a)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	*a = (struct accounts){.alone = true,
	    .alias = uid,
	    .qmaild = uid,
	    .qmaill = uid,
	    .owner = uid,
	    .qmailp = uid,
	    .qmailq = uid,
	    .qmailr = uid,
	    .qmails = uid,
	    .qmail = gid,
	    .nofiles = gid,
	    .alias_gid = gid};
}

const char *
accounts_load(struct accounts *a)
{
	const struct user_role roles[] = {
	    {CONFIG_USER_ALIAS, &a->alias, &a->alias_gid},
	    {CONFIG_USER_QMAILD, &a->qmaild, NULL},
	    {CONFIG_USER_QMAILL, &a->qmaill, NULL},
	    {CONFIG_USER_OWNER, &a->owner, NULL},
	    {CONFIG_USER_QMAILP, &a->qmailp, NULL},
	    {CONFIG_USER_QMAILQ, &a->qmailq, NULL},
	    {CONFIG_USER_QMAILR, &a->qmailr, NULL},
	    {CONFIG_USER_QMAILS, &a->qmails, NULL},
	};
	const char *missing;
	uid_t me = geteuid();

	*a = (struct accounts){0};
	missing = load_users(roles, COUNT(roles));
	if (missing == NULL)
		missing = load_group(CONFIG_GROUP_QMAIL, &a->qmail);
	if (missing == NULL)
		missing = load_group(CONFIG_GROUP_NOFILES, &a->nofiles);
	if (me == 0)
		return missing;
	/* Not root: one of the system's own accounts if all of them exist,
	   else somebody who runs everything alone. */
	if (missing != NULL ||
	    (me != a->qmailq && me != a->qmails && me != a->qmailr &&
		me != a->qmailp)) {
		become_alone(a);
		return NULL;
	}
	return NULL;
}
