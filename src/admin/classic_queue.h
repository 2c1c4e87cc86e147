/*
 * classic_queue - what lies in a queue directory of classic qmail
 *
 * The directories mess, info, local, remote are split into numbered ones,
 * as many as conf-split said; todo, intd and bounce are flat, but split as well
 * in "big-todo" variants. All of this is found by listing. Reads only.
 */
#ifndef ADMIN_CLASSIC_QUEUE_H
#define ADMIN_CLASSIC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/str.h"

enum classic_kind {
	CLASSIC_MESS,
	CLASSIC_INFO,
	CLASSIC_LOCAL,
	CLASSIC_REMOTE,
	CLASSIC_BOUNCE,
	CLASSIC_TODO,
	CLASSIC_INTD,
	CLASSIC_KINDS
};

#define CLASSIC_FLAT UINT32_MAX /* not in a numbered directory */

struct classic_file {
	uint64_t number;
	uint32_t split; /* the numbered directory, or CLASSIC_FLAT */
	enum classic_kind kind;
};

struct classic_queue {
	int dir;                    /* borrowed */
	struct classic_file *files; /* by number, then kind */
	size_t count, room;
	uint32_t splits[CLASSIC_KINDS]; /* numbered directories; 0: flat */
	size_t strange;                 /* names that have no business there */
};

/* Lists it. 0; -1 with errno, and *failed is the name that it was about. Free
   in both cases. */
MUST_USE int classic_queue_list(
    struct classic_queue *queue, int dir, struct str *failed);
void classic_queue_free(struct classic_queue *queue);
/* True if dir looks like such a queue. */
bool classic_queue_is(int dir);

/* All files of one message. */
struct classic_message {
	uint64_t number;
	const struct classic_file *files[CLASSIC_KINDS]; /* or NULL */
	bool doubled; /* one of them is there twice */
};

/* The message at *at, which moves on. 1, or 0 at the end. */
MUST_USE int classic_queue_next(const struct classic_queue *queue, size_t *at,
    struct classic_message *message);
/* True if the file lies where qmail looks for it. */
bool classic_queue_is_in_place(
    const struct classic_queue *queue, const struct classic_file *file);

/* Replaces *path by "mess/3/26", relative to the queue. */
void classic_queue_path(struct str *path, const struct classic_file *file);
/* Opens a regular file for reading, and looks at it. A descriptor, or -1. */
MUST_USE int classic_queue_open(const struct classic_queue *queue,
    const struct classic_file *file, struct stat *st);

#endif
