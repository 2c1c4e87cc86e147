/* setgroups, struct ucred, getpeereid: outside POSIX, wanted only here */
#define _GNU_SOURCE 1
#include "base/privilege.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

int
privilege_drop_ids(uid_t uid, gid_t gid)
{
	if (geteuid() != 0) {
		if (getuid() == uid && geteuid() == uid)
			return 0;
		errno = EPERM;
		return -1;
	}
	if (setgid(gid) == -1 || setuid(uid) == -1)
		return -1;
	if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)) {
		errno = EPERM;
		return -1;
	}
	if (getuid() != uid || geteuid() != uid || getgid() != gid ||
	    getegid() != gid) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int
privilege_drop(uid_t uid, gid_t gid)
{
	if (geteuid() == 0 && setgroups(1, &gid) == -1)
		return -1;
	return privilege_drop_ids(uid, gid);
}

int
privilege_peer(int sock, uid_t *uid)
{
#if defined(SO_PEERCRED) && defined(__linux__)
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1)
		return -1;
	*uid = peer.uid;
	return 0;
#else
	gid_t gid;

	return getpeereid(sock, uid, &gid);
#endif
}
