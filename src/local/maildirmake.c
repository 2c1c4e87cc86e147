/*
 * maildirmake - create an empty maildir
 * Runs as: the invoking user    Trusts: its argument
 * Reads:   nothing              Writes: the maildir
 * Exit:    0 made and on disk; 100 wrong usage; 111 failed: exists already, or
 *          its parent does not
 */
#include <sys/stat.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/str.h"

static void
make_dir(const char *path)
{
	if (mkdir(path, 0700) == -1)
		die_sys("cannot create %s", quote(path));
}

int
main(int argc, char **argv)
{
	static const char *const parts[] = {"tmp", "new", "cur"};
	struct str path = STR_INIT;

	die_init("maildirmake");
	if (argc != 2)
		die_usage("maildirmake directory");
	(void)umask(077);
	make_dir(argv[1]);
	for (size_t i = 0; i < COUNT(parts); i++) {
		str_format(&path, "%s/%s", argv[1], parts[i]);
		make_dir(path.s);
	}
	/* Mail may come at once: all four names must survive a power cut. */
	if (dir_sync(argv[1]) == -1 || dir_sync_parent(argv[1]) == -1)
		die_sys("cannot sync %s", quote(argv[1]));
	str_free(&path);
	return EXIT_OK;
}
