/*
 * maildir_list - the messages of a maildir, oldest first
 */
#ifndef LOCAL_MAILDIR_LIST_H
#define LOCAL_MAILDIR_LIST_H

#include <stddef.h>
#include <time.h>

#include "base/attr.h"

struct maildir_file {
	char *path; /* DIR/new/NAME or DIR/cur/NAME, owned */
	struct timespec mtime;
};

struct maildir_list {
	struct maildir_file *files;
	size_t count, room;
};

#define MAILDIR_LIST_INIT                                                      \
	{                                                                      \
		NULL, 0, 0                                                     \
	}

/*
 * Adds the regular files in dir/part ("new" or "cur") whose names do not start
 * with a dot. A file that goes away meanwhile is left out. 0, or -1 with errno.
 */
MUST_USE int maildir_list_add(
    struct maildir_list *list, const char *dir, const char *part);
/* By time of the last change, then by name. */
void maildir_list_sort(struct maildir_list *list);
void maildir_list_free(struct maildir_list *list);

#endif
