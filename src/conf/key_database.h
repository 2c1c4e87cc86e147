/*
 * key_database - a list of names compiled into a cdb: keys in lower case, no
 * data
 *
 * What is in it takes no time to read, however long the list is. The file is
 * opened when it is first asked; it may be missing.
 */
#ifndef CONF_KEY_DATABASE_H
#define CONF_KEY_DATABASE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/cdb.h"
#include "base/span.h"

struct key_database {
	const char *path; /* the caller's */
	bool is_tried;
	int fd; /* the open cdb, or -1: not tried, or missing */
	struct cdb cdb;
};

#define KEY_DATABASE_INIT(PATH)                                                \
	{                                                                      \
		.path = (PATH), .fd = -1                                       \
	}

/* Returns 1 if the file is there, 0 if not, -1 with errno. */
MUST_USE int key_database_open(struct key_database *database);
/* Returns 1 if key is in it, whatever its case; 0 if it is not, or there is no
   file; -1 with errno. */
MUST_USE int key_database_has(struct key_database *database, struct span key);
void key_database_free(struct key_database *database);

#endif
