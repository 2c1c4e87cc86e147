/* initgroups: outside POSIX, wanted only here; and apart from the rest, so that
   programs without NSS do not get its code */
#define _GNU_SOURCE 1
#include <grp.h>
#include <unistd.h>

#include "base/privilege.h"

int
privilege_drop_user(uid_t uid, gid_t gid, const char *user)
{
	if (geteuid() == 0 && initgroups(user, gid) == -1)
		return -1;
	return privilege_drop_ids(uid, gid);
}
