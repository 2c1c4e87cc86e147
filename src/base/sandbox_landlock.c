/* syscall and O_PATH are outside POSIX */
#define _GNU_SOURCE 1
#include "base/sandbox_linux.h"

#if defined(__linux__)

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

/* The same on all architectures of Linux but one that this is not built for. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* linux/landlock.h */
enum {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	OF_VERSION_1 = (1 << 13) - 1,
	REFER = 1 << 13,     /* since version 2 */
	TRUNCATE = 1 << 14,  /* 3 */
	IOCTL_DEV = 1 << 15, /* 5 */
	OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV,

	BIND_TCP = 1 << 0, /* 4 */
	CONNECT_TCP = 1 << 1,

	SCOPE_ABSTRACT_SOCKET = 1 << 0, /* 6 */
	SCOPE_SIGNAL = 1 << 1,

	NEWEST = 6, /* the last version of which anything is wanted here */
	ASK_VERSION = 1,
	RULE_PATH_BENEATH = 1,
};

struct ruleset {
	uint64_t files, net, scoped; /* zeros at the end may be unknown */
};

struct path_rule {
	uint64_t allowed;
	int32_t directory;
};

/* What is being made. */
struct making {
	int ruleset;
	uint64_t handled;
	bool no_links;
};

int
sandbox_landlock_version(void)
{
	long version =
	    syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);

	return version > 0 ? (int)version : 0;
}

static void
choose(struct ruleset *set, unsigned may, int version)
{
	set->files = OF_VERSION_1;
	if (version >= 2)
		set->files |= REFER;
	if (version >= 3)
		set->files |= TRUNCATE;
	if (version >= 5)
		set->files |= IOCTL_DEV;
	/* net/submit goes back to a directory of which it knows no more than
	   that it is there, if the path of its socket is too long */
	if (may & SANDBOX_LOCAL)
		set->files &= ~(uint64_t)READ_DIR;
	if (version >= 4 && !(may & (SANDBOX_NET | SANDBOX_NAMES)))
		set->net = BIND_TCP | CONNECT_TCP;
	if (version >= 6)
		set->scoped = SCOPE_SIGNAL;
	if (version >= 6 && !(may & SANDBOX_NAMES))
		set->scoped |= SCOPE_ABSTRACT_SOCKET;
}

/* 0, or -1 with errno: EINVAL or E2BIG if the kernel's version is older. */
static int
create(struct making *making, const struct sandbox *rights, int version)
{
	struct ruleset set = {0};

	/* version 1 forbids all links and renames between directories */
	if (version == 0 || (version == 1 && rights->write[0] != NULL)) {
		errno = ENOSYS;
		return -1;
	}
	choose(&set, rights->may, version);
	making->handled = set.files;
	making->ruleset =
	    (int)syscall(SYS_landlock_create_ruleset, &set, sizeof(set), 0);
	return making->ruleset == -1 ? -1 : 0;
}

/* True if a path could not be used before either, so that nothing is lost
   without a rule; any other trouble means no rules at all. */
static bool
is_out_of_reach(void)
{
	return errno == ENOENT || errno == EACCES || errno == ENOTDIR ||
	    errno == ELOOP;
}

/* Allows what fd, of this mode, stands for. 0, or -1 with errno. */
static int
allow_open(const struct making *making, int fd, mode_t mode, uint64_t rights)
{
	struct path_rule rule = {rights & making->handled, fd};

	if (!S_ISDIR(mode))
		rule.allowed &= OF_FILES;
	if (rule.allowed == 0)
		return 0;
	return (int)syscall(SYS_landlock_add_rule, making->ruleset,
	    RULE_PATH_BENEATH, &rule, 0);
}

/* Allows what is at path, if it is there. 0, or -1 with errno. */
static int
allow(const struct making *making, const char *path, uint64_t rights)
{
	struct stat st;
	int fd = fd_open(path, O_PATH, 0), result;

	if (fd == -1)
		return is_out_of_reach() ? 0 : -1;
	result = fstat(fd, &st);
	if (result == 0)
		result = allow_open(making, fd, st.st_mode, rights);
	fd_close(fd);
	return result;
}

/* Allows what symbolic links in directory lead to. 0, or -1 with errno. */
static int
allow_links(const struct making *making, const char *directory, uint64_t rights)
{
	DIR *dir = opendir(directory);
	struct str path = STR_INIT;
	struct dirent *entry;
	int result = 0;

	if (dir == NULL) /* to be searched only, or gone */
		return is_out_of_reach() ? 0 : -1;
	while (result == 0 && (entry = readdir(dir)) != NULL) {
		/* a file system that does not tell the type has no links to
		   elsewhere, as far as we are concerned */
		if (entry->d_type != DT_LNK)
			continue;
		str_format(&path, "%s/%s", directory, entry->d_name);
		result = allow(making, path.s, rights);
	}
	closedir(dir);
	str_free(&path);
	return result;
}

/* Allows the directory of a file, by its name as it is. 0, or -1. */
static int
allow_parent(const struct making *making, const char *path, uint64_t rights)
{
	size_t slash = span_find_last(span_of(path), '/');
	struct str parent = STR_INIT;
	int result;

	if (slash == SPAN_NONE)
		str_append_cstr(&parent, ".");
	else
		str_append(&parent, path, slash == 0 ? 1 : slash);
	result = allow(making, parent.s, rights);
	str_free(&parent);
	return result;
}

/* Allows the directory of a file, and that of what it is a link to. */
static int
allow_file(const struct making *making, const char *path, uint64_t rights)
{
	char *real = realpath(path, NULL);
	int result;

	if (real == NULL)
		return is_out_of_reach() ? 0 : -1;
	result = allow_parent(making, path, rights);
	if (result == 0)
		result = allow_parent(making, real, rights);
	free(real);
	return result;
}

static int
allow_path(const struct making *making, const char *path, uint64_t rights)
{
	struct stat st = {0};
	int fd = fd_open(path, O_PATH, 0), result;

	if (fd == -1)
		return is_out_of_reach() ? 0 : -1;
	result = fstat(fd, &st);
	if (result == 0 && !S_ISREG(st.st_mode))
		result = allow_open(making, fd, st.st_mode, rights);
	fd_close(fd);
	if (result == 0 && S_ISREG(st.st_mode))
		return allow_file(making, path, rights);
	if (result == 0 && S_ISDIR(st.st_mode) && !making->no_links &&
	    strcmp(path, "/") != 0)
		return allow_links(making, path, rights);
	return result;
}

static int
allow_all(const struct making *making, const char *const paths[SANDBOX_PATHS],
    uint64_t rights)
{
	int result = 0;

	for (size_t i = 0; i < SANDBOX_PATHS && paths[i] != NULL && result == 0;
	     i++)
		result = allow_path(making, paths[i], rights);
	return result;
}

int
sandbox_landlock(const struct sandbox *rights)
{
	uint64_t read = READ_FILE | READ_DIR, write;
	struct making making = {.no_links = rights->no_links};
	int result = 0, error;

	if (rights->may & SANDBOX_START)
		read |= EXECUTE;
	write = (OF_VERSION_1 & ~EXECUTE) | REFER | TRUNCATE;
	if (create(&making, rights, NEWEST) == -1 &&
	    ((errno != EINVAL && errno != E2BIG) ||
		create(&making, rights, sandbox_landlock_version()) == -1))
		return -1;
	if (allow_all(&making, rights->read, read) == -1 ||
	    allow_all(&making, rights->write, write) == -1)
		result = -1;
	/* descriptors 0 to 2 of what is started */
	if (result == 0 && (rights->may & SANDBOX_START))
		result = allow(&making, "/dev/null", READ_FILE | WRITE_FILE);
	if (result == 0 && SANDBOX_IS_CHECKED)
		result = allow(&making, "/", READ_FILE | READ_DIR);
	if (result == 0)
		result =
		    (int)syscall(SYS_landlock_restrict_self, making.ruleset, 0);
	error = errno;
	(void)close(making.ruleset); /* it has no more to say */
	errno = error;
	return result;
}

#else

#include <errno.h>

int
sandbox_landlock_version(void)
{
	return 0;
}

int
sandbox_landlock(const struct sandbox *rights)
{
	(void)rights;
	errno = ENOSYS;
	return -1;
}

#endif
