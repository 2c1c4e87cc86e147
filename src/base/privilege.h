/*
 * privilege - the one place where root is shed and a peer's uid is learnt
 *
 * Also home of the few calls outside POSIX (setgroups, peer credentials).
 */
#ifndef BASE_PRIVILEGE_H
#define BASE_PRIVILEGE_H

#include <sys/types.h>

#include "base/attr.h"

/*
 * Becomes uid and gid for good: groups (only gid), gid, uid, then proves that
 * root cannot come back. If the process already is uid, unprivileged, it
 * stays as it is. Returns 0, or -1 with errno; after -1 the process must exit.
 */
MUST_USE int privilege_drop(uid_t uid, gid_t gid);

/* The same without its first step: whoever is root has set its groups. */
MUST_USE int privilege_drop_ids(uid_t uid, gid_t gid);

/*
 * As privilege_drop for root that becomes the user of that name, with the
 * groups that the group database gives him beside gid; none if it does not know
 * him. Needs NSS: not for the small static programs; it may wait for a
 * directory service.
 */
MUST_USE int privilege_drop_user(uid_t uid, gid_t gid, const char *user);

/* Who is at the other end of a connected AF_UNIX socket, by the kernel's
   word. 0, or -1 with errno. */
MUST_USE int privilege_peer(int sock, uid_t *uid);

#endif
