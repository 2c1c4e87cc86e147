/*
 * sandbox - a program gives up what it does not need after its start
 *
 * Each program says in one table what it may still do; sandbox_enter takes the
 * rest away, for good and for all that it starts:
 *
 *   Linux    no_new_privs; Landlock (files, TCP, signals, as far as the kernel
 *            knows them); a seccomp filter on x86-64 and 64-bit ARM
 *   OpenBSD  pledge, and unveil for programs without local sockets
 *   FreeBSD  capability mode for programs that may do nothing at all
 *
 * What stays in any case: the descriptors that are open, memory, clocks,
 * signals to itself. What is taken away fails with EPERM, EACCES or ENOSYS; no
 * process is killed, so that a call that was forgotten makes mail late and not
 * lost. Why it is as it is: doc/ARCHITECTURE.md, 6.
 *
 * A sandbox is inherited. So a program that may run programs of others (users,
 * plugins, QMAILQUEUE) must not enter one: theirs may be setuid.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>

enum {
	/* local sockets, made and connected; a look at the own addresses */
	SANDBOX_LOCAL = 1,
	/* local sockets that others connect to */
	SANDBOX_LISTEN = 2,
	/* any host of the network, and its name servers */
	SANDBOX_NET = 4,
	/* children, signals to them; what they may do must be named too */
	SANDBOX_START = 8,
	/* what the modules behind getpwnam may want: any socket, threads */
	SANDBOX_NAMES = 16,
};

enum {
	SANDBOX_PATHS = 4,
};

/*
 * A path is a directory, with all below it and what symbolic links in it lead
 * to; or a file, which stands for its directory (and that of the file which it
 * is a link to), because it may be replaced; or a device. One that is missing
 * adds nothing.
 */
struct sandbox {
	unsigned may;                    /* SANDBOX_... */
	const char *read[SANDBOX_PATHS]; /* files that may be read */
	const char
	    *write[SANDBOX_PATHS]; /* and made, changed, moved, removed */
	bool no_links; /* the caller has seen that there are none in read */
};

/*
 * Gives up all but what *rights names. Never fails: what the kernel does not
 * know, or some outer sandbox forbids, is left out. A second call takes more
 * away, and gives nothing back.
 */
void sandbox_enter(const struct sandbox *rights);

#endif
