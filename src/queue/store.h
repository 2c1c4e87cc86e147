/*
 * store - the plain files under queue/: making, replacing and removing them
 *
 * Paths are relative to queue/, the working directory. Nothing here syncs
 * unless it says so: the journal makes messages durable. Calls return 0, or -1
 * with errno.
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "mail/queue_file.h"

enum {
	STORE_ENV_MAX =
	    80 * 1024 * 1024, /* bytes of an env file that is read */
};

/* Makes every directory that is missing; afterwards all of them are durable. On
   failure *failed is the name of the one that made trouble. */
MUST_USE int store_make_directories(struct str *failed);

/* A new file with these parts; on failure nothing is left. */
MUST_USE int store_create(
    enum queue_kind kind, uint64_t id, const struct span *parts, size_t count);
/* The same in place of whatever is there; readers see the old or the new. */
MUST_USE int store_replace(
    enum queue_kind kind, uint64_t id, const struct span *parts, size_t count);
/* Appends the whole file to *to. */
MUST_USE int store_read(
    enum queue_kind kind, uint64_t id, size_t max, struct str *to);
/* A file that is not there is as good as removed. */
MUST_USE int store_remove(enum queue_kind kind, uint64_t id);
MUST_USE int store_remove_all(uint64_t id); /* of all kinds */
/* The same where only mess and env were ever made. */
MUST_USE int store_remove_plain(uint64_t id);
/* The same for a file that nobody was promised: if it stays, recovery takes it
   away. Keeps errno. */
void store_discard(enum queue_kind kind, uint64_t id);
/* 1 it exists, 0 it does not, -1. */
MUST_USE int store_has(enum queue_kind kind, uint64_t id);

/* Makes the content of a file durable. 1; 0 if it is not there; -1. */
MUST_USE int store_sync_file(const char *path);

/* tmp/NUMBER, or tmp/NUMBER.env */
void store_tmp_path(struct str *path, uint64_t number, bool env);
MUST_USE int store_tmp_create(uint64_t number, bool env); /* a descriptor */
void store_tmp_remove(uint64_t number, bool env);
/* Renames it to its place. */
MUST_USE int store_tmp_keep(
    uint64_t number, bool env, enum queue_kind kind, uint64_t id);

/* Writes over the first and the last bytes of a file that is there. */
MUST_USE int store_patch(const char *path, struct span head, struct span tail);

/* Moves a file that is not as it should be to damaged/, under a name made of
   its own, and says so. */
MUST_USE int store_set_aside(const char *path);

/* Writes all parts from the descriptor's offset on. */
MUST_USE int store_write_parts(int fd, const struct span *parts, size_t count);

/* True if new mail must be refused: little space or few inodes are left. */
bool store_is_full(void);

#endif
