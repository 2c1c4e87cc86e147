/*
 * queue_scan - finds messages by walking through queue/env, some at a time
 *
 * One walk serves any number of ranges of ids; a range that is added during a
 * walk waits for the next. The last ids of each range are asked for by their
 * names first: so the mail that came in just before a walk of a million does
 * not wait for its end, and short ranges need no walk. The caller says which
 * ranges may hold messages that it does not know: a file that is left over from
 * a message that is over must never be taken for a new one.
 */
#ifndef SEND_QUEUE_SCAN_H
#define SEND_QUEUE_SCAN_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum {
	QUEUE_COVERAGE_GAPS = 64,   /* remembered; the oldest is forgotten */
	QUEUE_SCAN_RETRY_S = 30,    /* after a directory cannot be read */
	QUEUE_SCAN_RANGES_MAX = 64, /* for one walk; more are joined */
	QUEUE_SCAN_NAMED = 1000,    /* ids at the end of a range: by name */
};

struct queue_scan_range {
	uint64_t from, to; /* to is not in it */
	bool silent;
};

struct queue_scan {
	int queue_dir; /* borrowed: a descriptor of queue/ */
	DIR *dir;
	unsigned split; /* the next directory to be opened */
	bool walking;
	size_t named;  /* ranges of which the last ids were asked for */
	uint64_t next; /* the next id to be asked for in the range named */
	int64_t retry_s;
	struct queue_scan_range now[QUEUE_SCAN_RANGES_MAX];
	struct queue_scan_range later[QUEUE_SCAN_RANGES_MAX];
	size_t now_count, later_count;
};

void queue_scan_init(struct queue_scan *scan, int queue_dir);
void queue_scan_free(struct queue_scan *scan);
/* Ids in [from, to) shall be found; silent is handed back with them. */
void queue_scan_add(
    struct queue_scan *scan, uint64_t from, uint64_t to, bool silent);
bool queue_scan_is_wanted(const struct queue_scan *scan);

/*
 * Which ids need no scan: those of which a notice came, and those that a scan
 * was asked for. Notices come with growing ids; a gap between two of them may
 * hold messages of which the notices were dropped.
 */
struct queue_coverage {
	uint64_t end; /* all below it, but for the gaps */
	struct queue_scan_range gaps[QUEUE_COVERAGE_GAPS];
	size_t gap_count;
};

/* A notice of id came. */
void queue_coverage_see(struct queue_coverage *coverage, uint64_t id);
/* Asks for a scan of all ids below limit that are not covered, and of the
   gaps; then they are. */
void queue_coverage_complete(struct queue_coverage *coverage, uint64_t limit,
    bool silent, struct queue_scan *scan);

/*
 * The next id in a range. Takes one from *budget for each id that is asked for
 * and each directory entry that is looked at. 1 found; 0 nothing more for now;
 * -1 env/N cannot be read, with errno and *split = N: the walk goes on with it
 * after QUEUE_SCAN_RETRY_S.
 */
MUST_USE int queue_scan_next(struct queue_scan *scan, int64_t now_s,
    unsigned *budget, uint64_t *id, bool *silent, unsigned *split);

#endif
