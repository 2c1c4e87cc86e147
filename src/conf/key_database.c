#include "conf/key_database.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "conf/control.h"

int
key_database_open(struct key_database *database)
{
	int fd;

	if (database->is_tried)
		return database->fd != -1;
	errno = ENOENT;
	fd = control_is_missing(database->path)
	    ? -1
	    : fd_open(database->path, O_RDONLY, 0);
	if (fd == -1 && errno != ENOENT)
		return -1;
	if (fd != -1 && cdb_open(&database->cdb, fd) == -1) {
		fd_close(fd);
		return -1;
	}
	database->fd = fd;
	database->is_tried = true;
	return fd != -1;
}

int
key_database_has(struct key_database *database, struct span key)
{
	struct str lower = STR_INIT, data = STR_INIT;
	int found = key_database_open(database);

	if (found != 1)
		return found;
	for (size_t i = 0; i < key.len; i++)
		str_append_char(&lower, span_lower(key.s[i]));
	found = cdb_find(&database->cdb, str_span(&lower), &data);
	str_free(&lower);
	str_free(&data);
	return found;
}

void
key_database_free(struct key_database *database)
{
	fd_close(database->fd);
	*database = (struct key_database)KEY_DATABASE_INIT(database->path);
}
