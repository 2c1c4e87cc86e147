/*
 * qmail-newmrh - compile control/morercpthosts into a database
 * Runs as: root (who owns control/)    Trusts: control/morercpthosts
 * Reads:   control/morercpthosts
 * Writes:  control/morercpthosts.cdb, by way of control/morercpthosts.tmp
 * Exit:    0 done and on disk; 100 wrong usage; 111 failed, the database is as
 *          it was
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

#define LIST "control/morercpthosts"
#define CDB "control/morercpthosts.cdb"
#define CDB_TMP "control/morercpthosts.tmp"

/* Keys in lower case, as the receivers ask for them, with empty data. */
static int
add_all(const struct control_table *hosts, struct cdb_writer *writer)
{
	struct str key = STR_INIT;
	int result = 0;

	for (size_t i = 0; i < hosts->entry_count && result == 0; i++) {
		str_clear(&key);
		for (size_t j = 0; j < hosts->lines[i].len; j++)
			str_append_char(&key, span_lower(hosts->lines[i].s[j]));
		result =
		    cdb_writer_add(writer, str_span(&key), SPAN_LITERAL(""));
	}
	str_free(&key);
	return result;
}

int
main(int argc, char **argv)
{
	struct control_table hosts = CONTROL_TABLE_INIT;
	struct cdb_writer writer;
	int found, fd;

	(void)argv;
	die_init("qmail-newmrh");
	if (argc != 1)
		die_usage("qmail-newmrh");
	(void)umask(033);
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	found = control_list(LIST, &hosts);
	if (found == 0)
		errno = ENOENT;
	if (found != 1)
		die_sys("cannot read " LIST);

	/* 1. A new file beside the old one: a crash leaves it behind, and the
	      next run replaces it. */
	if (unlink(CDB_TMP) == -1 && errno != ENOENT)
		die_sys("cannot remove " CDB_TMP);
	fd = open(CDB_TMP, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		die_sys("cannot create " CDB_TMP);
	cdb_writer_open(&writer, fd);
	if (add_all(&hosts, &writer) == -1 || cdb_writer_finish(&writer) == -1)
		die_sys("cannot write " CDB_TMP);
	/* 2. On disk, before its name says so. */
	if (fsync(fd) == -1 || close(fd) == -1)
		die_sys("cannot write " CDB_TMP);
	/* 3. From here on every receiver that starts sees the new one. */
	if (rename(CDB_TMP, CDB) == -1)
		die_sys("cannot rename " CDB_TMP " to " CDB);
	if (dir_sync_parent(CDB) == -1)
		die_sys("cannot sync control");
	cdb_writer_free(&writer);
	control_table_free(&hosts);
	return EXIT_OK;
}
