/*
 * mbox_lock - opens an mbox file under flock and fcntl's lock
 *
 * On Linux neither kind sees the other. qmail and its tools take the first;
 * procmail, maildrop, mutt and Dovecot the second, at least as Debian builds
 * them.
 *
 * A program may put another file in its place while we wait for the lock (it
 * keeps the lock of the old one until then): the file that has the name when
 * the lock is ours is the one that is returned.
 */
#ifndef LOCAL_MBOX_LOCK_H
#define LOCAL_MBOX_LOCK_H

#include "base/attr.h"

enum {
	MBOX_LOCK_S = 30, /* how long to wait for the lock */
};

enum mbox_lock {
	MBOX_LOCKED = 1,
	MBOX_NO_LOCKS = 0, /* open, on a file system that has no locks */
	MBOX_BUSY = -1,    /* somebody else keeps the lock */
	MBOX_NO_FILE = -2, /* it cannot be opened: errno */
	MBOX_NO_MBOX = -3, /* it is not a regular file */
};

/* Opens path with flags (O_CLOEXEC and the like are added; mode 0600). With
   MBOX_LOCKED and MBOX_NO_LOCKS *fd is the caller's to close. */
MUST_USE enum mbox_lock mbox_lock_open(const char *path, int flags, int *fd);

/* Takes both locks of a file that is open for writing, or none (MBOX_BUSY),
   without waiting. They last until the process closes the file, any
   descriptor of it. */
MUST_USE enum mbox_lock mbox_lock_try(int fd);

#endif
