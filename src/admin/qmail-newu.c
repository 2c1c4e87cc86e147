/*
 * qmail-newu - compile users/assign into users/cdb
 * Runs as: root (who owns users/)    Trusts: users/assign
 * Reads:   users/assign              Writes: users/cdb, by way of users/cdb.tmp
 * Exit:    0 done and on disk; 100 wrong usage; 111 failed, users/cdb is as it
 *          was
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cdb.h"
#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/str.h"
#include "conf/control.h"
#include "conf/users.h"

#define ASSIGN "users/assign"
#define CDB "users/cdb"
#define CDB_TMP "users/cdb.tmp"

/* Speaks about what users_compile found. A file that someone can mend is
   temporary trouble, as ever with qmail-newu. */
static void
check(int result, size_t line)
{
	switch (result) {
	case USERS_BAD_LINE:
		die_temp(ASSIGN " line %zu: not seven fields, each ended by a "
				"colon, the first not empty",
		    line);
	case USERS_NUL:
		die_temp(ASSIGN " line %zu: a NUL byte", line);
	case USERS_NO_END:
		die_temp(ASSIGN
		    " line %zu: the file ends without a line that is a "
		    "single dot",
		    line);
	case USERS_WRITE:
		die_sys("cannot write " CDB_TMP);
	default:
		break;
	}
}

int
main(int argc, char **argv)
{
	struct str assign = STR_INIT;
	struct cdb_writer writer;
	size_t line;
	int fd;

	(void)argv;
	die_init("qmail-newu");
	if (argc != 1)
		die_usage("qmail-newu");
	(void)umask(033);
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	if (file_read(ASSIGN, USERS_ASSIGN_MAX, &assign) == -1)
		die_sys("cannot read " ASSIGN);

	/* 1. A new file beside the old one: a crash leaves cdb.tmp, which the
	      next run replaces. */
	if (unlink(CDB_TMP) == -1 && errno != ENOENT)
		die_sys("cannot remove " CDB_TMP);
	fd = open(CDB_TMP, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		die_sys("cannot create " CDB_TMP);
	cdb_writer_open(&writer, fd);
	check(users_compile(str_span(&assign), &writer, &line), line);
	if (cdb_writer_finish(&writer) == -1)
		die_sys("cannot write " CDB_TMP);
	/* 2. On disk, before its name says so. */
	if (fsync(fd) == -1 || close(fd) == -1)
		die_sys("cannot write " CDB_TMP);
	/* 3. From here on every look-up sees the new one. */
	if (rename(CDB_TMP, CDB) == -1)
		die_sys("cannot rename " CDB_TMP " to " CDB);
	if (dir_sync_parent(CDB) == -1)
		die_sys("cannot sync users");
	cdb_writer_free(&writer);
	str_free(&assign);
	return EXIT_OK;
}
