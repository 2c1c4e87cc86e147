/* prctl, pledge, unveil, cap_enter: outside POSIX, wanted only here */
#define _GNU_SOURCE 1
#define __BSD_VISIBLE 1
#include "base/sandbox.h"

#if defined(__linux__)

#include <sys/prctl.h>

#include "base/sandbox_linux.h"

void
sandbox_enter(const struct sandbox *rights)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return; /* nothing else would be allowed */
	/* a failure of either leaves what the modes of files forbid, as before;
	   mail goes on */
	(void)!sandbox_landlock(rights);
	(void)!sandbox_seccomp(rights);
}

#elif defined(__OpenBSD__)

#include <string.h>
#include <unistd.h>

static void
add(char *promises, size_t size, const char *more)
{
	(void)strlcat(promises, more, size); /* all of them together fit */
}

static void
show(const char *const paths[SANDBOX_PATHS], const char *permissions)
{
	for (size_t i = 0; i < SANDBOX_PATHS && paths[i] != NULL; i++)
		(void)unveil(paths[i], permissions); /* one may be missing */
}

void
sandbox_enter(const struct sandbox *rights)
{
	char promises[256] = "stdio sendfd recvfd";
	bool reads = rights->read[0] != NULL, writes = rights->write[0] != NULL;

	if (rights->may & SANDBOX_START)
		add(promises, sizeof(promises), " proc exec");
	if (rights->may & (SANDBOX_LOCAL | SANDBOX_LISTEN))
		add(promises, sizeof(promises), " unix");
	if (rights->may & SANDBOX_NET)
		add(promises, sizeof(promises), " inet dns");
	if (rights->may & SANDBOX_NAMES)
		add(promises, sizeof(promises), " getpw inet dns unix");
	if (reads || writes)
		add(promises, sizeof(promises), " rpath");
	if (writes)
		add(promises, sizeof(promises), " wpath cpath fattr flock");
	/* the path of a socket would have to be shown as well, and programs
	   that are started need their libraries */
	if ((reads || writes) && (rights->may & ~(unsigned)SANDBOX_NET) == 0) {
		show(rights->read, "r");
		show(rights->write, "rwc");
	}
	(void)pledge(promises, NULL);
}

#elif defined(__FreeBSD__)

#include <stddef.h>
#include <sys/capsicum.h>

void
sandbox_enter(const struct sandbox *rights)
{
	/* there names mean nothing any more, not even those of sockets */
	if (rights->may == 0 && rights->read[0] == NULL &&
	    rights->write[0] == NULL)
		(void)cap_enter(); /* a kernel without it says ENOSYS */
}

#else

void
sandbox_enter(const struct sandbox *rights)
{
	(void)rights;
}

#endif
