#include "admin/list_compile.h"

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

/* Keys in lower case, as the receivers ask for them, with empty data. */
static int
add_all(const struct control_table *list, struct cdb_writer *writer)
{
	struct str key = STR_INIT;
	int result = 0;

	for (size_t i = 0; i < list->entry_count && result == 0; i++) {
		str_clear(&key);
		for (size_t j = 0; j < list->lines[i].len; j++)
			str_append_char(&key, span_lower(list->lines[i].s[j]));
		result =
		    cdb_writer_add(writer, str_span(&key), SPAN_LITERAL(""));
	}
	str_free(&key);
	return result;
}

static void
read_list(const char *path, struct control_table *list)
{
	int found = control_list(path, list);

	if (found == 0)
		errno = ENOENT;
	if (found != 1)
		die_sys("cannot read %s", path);
}

int
list_compile(int argc, const char *program, const char *name)
{
	struct control_table list = CONTROL_TABLE_INIT;
	struct str source = STR_INIT, cdb = STR_INIT, tmp = STR_INIT;
	struct cdb_writer writer;
	int fd;

	die_init(program);
	if (argc != 1)
		die_usage(program);
	str_format(&source, "control/%s", name);
	str_format(&cdb, "control/%s.cdb", name);
	str_format(&tmp, "control/%s.tmp", name);
	(void)umask(033);
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	read_list(source.s, &list);

	/* 1. A new file beside the old one: a crash leaves it behind, and the
	      next run replaces it. */
	if (unlink(tmp.s) == -1 && errno != ENOENT)
		die_sys("cannot remove %s", tmp.s);
	fd = open(tmp.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd == -1)
		die_sys("cannot create %s", tmp.s);
	cdb_writer_open(&writer, fd);
	if (add_all(&list, &writer) == -1 || cdb_writer_finish(&writer) == -1)
		die_sys("cannot write %s", tmp.s);
	/* 2. On disk, before its name says so. */
	if (fsync(fd) == -1 || close(fd) == -1)
		die_sys("cannot write %s", tmp.s);
	/* 3. From here on every receiver that starts sees the new one. */
	if (rename(tmp.s, cdb.s) == -1)
		die_sys("cannot rename %s to %s", tmp.s, cdb.s);
	if (dir_sync_parent(cdb.s) == -1)
		die_sys("cannot sync control");
	cdb_writer_free(&writer);
	control_table_free(&list);
	str_free(&source);
	str_free(&cdb);
	str_free(&tmp);
	return EXIT_OK;
}
