#include "admin/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/str.h"

static bool
say(const char *path, bool made)
{
	if (printf("%s %s\n", made ? "made" : "kept", path) < 0)
		die_sys("cannot write to standard output");
	return made;
}

static void
give(const struct place *place, const char *path)
{
	if (place->chown && lchown(path, place->uid, place->gid) == -1)
		die_sys("cannot change the owner of %s", quote(path));
}

bool
place_dir(const struct place *place, const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == -1) {
		if (errno != EEXIST)
			die_sys("cannot create %s", quote(path));
		if (stat(path, &st) == -1)
			die_sys("cannot look at %s", quote(path));
		if (!S_ISDIR(st.st_mode))
			die_perm("%s is there and no directory", quote(path));
		return say(path, false);
	}
	/* mkdir obeys the umask; the mode is meant as it stands. */
	if (chmod(path, mode) == -1)
		die_sys("cannot set the mode of %s", quote(path));
	give(place, path);
	return say(path, true);
}

static void
write_new(const char *path, struct span content, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1)
		die_sys("cannot create %s", quote(path));
	if (fd_write_all(fd, content.s, content.len) == -1 ||
	    fchmod(fd, mode) == -1 || close(fd) == -1) {
		int error = errno;

		(void)unlink(path); /* we are about to say what went wrong */
		errno = error;
		die_sys("cannot write %s", quote(path));
	}
}

bool
place_file(const struct place *place, const char *path, struct span content,
    mode_t mode)
{
	struct str draft = STR_INIT;
	struct stat st;
	bool made = true;

	if (lstat(path, &st) == 0)
		return say(path, false);
	str_format(&draft, "%s.new%ld", path, (long)getpid());
	write_new(draft.s, content, mode);
	give(place, draft.s);
	/* link, unlike rename, fails if somebody was faster. */
	if (link(draft.s, path) == -1) {
		made = false;
		if (errno != EEXIST) {
			int error = errno;

			(void)unlink(draft.s); /* the link is what failed */
			errno = error;
			die_sys("cannot create %s", quote(path));
		}
	}
	if (unlink(draft.s) == -1)
		die_sys("cannot remove %s", quote(draft.s));
	str_free(&draft);
	return say(path, made);
}

bool
place_link(const char *path, const char *target)
{
	if (symlink(target, path) == 0)
		return say(path, true);
	if (errno != EEXIST)
		die_sys("cannot create %s", quote(path));
	return say(path, false);
}
