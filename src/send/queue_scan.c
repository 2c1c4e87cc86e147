#include "send/queue_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "mail/queue_file.h"

void
queue_scan_init(struct queue_scan *scan, int queue_dir)
{
	memset(scan, 0, sizeof(*scan));
	scan->queue_dir = queue_dir;
}

static void
close_directory(struct queue_scan *scan)
{
	if (scan->dir != NULL)
		(void)closedir(scan->dir); /* only read */
	scan->dir = NULL;
}

void
queue_scan_free(struct queue_scan *scan)
{
	close_directory(scan);
}

void
queue_scan_add(struct queue_scan *scan, uint64_t from, uint64_t to, bool silent)
{
	if (from >= to)
		return;
	if (scan->later_count == QUEUE_SCAN_RANGES_MAX) {
		/* one range over the last and this: it may find again what was
		   delivered in between, which is better than to lose */
		scan->later[scan->later_count - 1].to = to;
		return;
	}
	scan->later[scan->later_count++] =
	    (struct queue_scan_range){from, to, silent};
}

bool
queue_scan_is_wanted(const struct queue_scan *scan)
{
	return scan->walking || scan->later_count > 0;
}

void
queue_coverage_see(struct queue_coverage *coverage, uint64_t id)
{
	if (id > coverage->end) {
		if (coverage->gap_count == QUEUE_COVERAGE_GAPS) {
			coverage->gap_count--;
			memmove(coverage->gaps, coverage->gaps + 1,
			    coverage->gap_count * sizeof(coverage->gaps[0]));
		}
		coverage->gaps[coverage->gap_count++] =
		    (struct queue_scan_range){coverage->end, id, false};
	}
	if (id >= coverage->end)
		coverage->end = id + 1;
}

void
queue_coverage_complete(struct queue_coverage *coverage, uint64_t limit,
    bool silent, struct queue_scan *scan)
{
	for (size_t i = 0; i < coverage->gap_count; i++)
		queue_scan_add(
		    scan, coverage->gaps[i].from, coverage->gaps[i].to, silent);
	coverage->gap_count = 0;
	queue_scan_add(scan, coverage->end, limit, silent);
	if (limit > coverage->end)
		coverage->end = limit;
}

static uint64_t
first_named(const struct queue_scan_range *range)
{
	return range->to - range->from > QUEUE_SCAN_NAMED
	    ? range->to - QUEUE_SCAN_NAMED
	    : range->from;
}

/* Goes to the range whose last ids are asked for next. When all have been,
   the walk finds the rest, if there is any. */
static void
start_naming(struct queue_scan *scan, size_t named)
{
	scan->named = named;
	if (named < scan->now_count) {
		scan->next = first_named(&scan->now[named]);
		return;
	}
	scan->walking = false;
	for (size_t i = 0; i < scan->now_count; i++) {
		scan->now[i].to = first_named(&scan->now[i]);
		if (scan->now[i].from < scan->now[i].to)
			scan->walking = true;
	}
}

/* Asks for one id by its name. 1 if it is there, 0, or -1 with errno. */
static int
ask_for_next(struct queue_scan *scan, uint64_t *id)
{
	struct str path = STR_INIT;
	struct stat st;
	int found;

	if (scan->next == scan->now[scan->named].to) {
		start_naming(scan, scan->named + 1);
		return 0;
	}
	queue_file_path(&path, QUEUE_ENV, scan->next);
	found = fstatat(scan->queue_dir, path.s, &st, AT_SYMLINK_NOFOLLOW);
	str_free(&path);
	if (found == -1 && errno != ENOENT)
		return -1;
	*id = scan->next++;
	return found == 0;
}

/* Opens the next directory. 1; 0 if there is none left; -1. */
static int
open_directory(struct queue_scan *scan)
{
	char path[32];
	int fd;

	for (; scan->split < QUEUE_FILE_SPLIT; scan->split++) {
		(void)snprintf(path, sizeof(path), "%s/%u",
		    queue_kind_name[QUEUE_ENV], scan->split);
		fd = openat(scan->queue_dir, path,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
		if (fd == -1 && errno == ENOENT)
			continue; /* nothing was ever put there */
		if (fd == -1)
			return -1;
		scan->dir = fdopendir(fd);
		if (scan->dir == NULL) {
			fd_close(fd);
			return -1;
		}
		scan->split++;
		return 1;
	}
	return 0;
}

static bool
is_wanted(const struct queue_scan *scan, uint64_t id, bool *silent)
{
	for (size_t i = 0; i < scan->now_count; i++) {
		if (id >= scan->now[i].from && id < scan->now[i].to) {
			*silent = scan->now[i].silent;
			return true;
		}
	}
	return false;
}

static bool
start_walk(struct queue_scan *scan)
{
	if (scan->walking)
		return true;
	if (scan->later_count == 0)
		return false;
	memcpy(scan->now, scan->later, sizeof(scan->now));
	scan->now_count = scan->later_count;
	scan->later_count = 0;
	scan->split = 0;
	scan->walking = true;
	start_naming(scan, 0);
	return true;
}

/* After trouble in the directory before split: it is read again. */
static int
pause_walk(struct queue_scan *scan, int64_t now_s, unsigned *split)
{
	int error = errno;

	if (scan->dir != NULL)
		scan->split--;
	close_directory(scan);
	scan->retry_s = now_s + QUEUE_SCAN_RETRY_S;
	*split = scan->split;
	errno = error;
	return -1;
}

int
queue_scan_next(struct queue_scan *scan, int64_t now_s, unsigned *budget,
    uint64_t *id, bool *silent, unsigned *split)
{
	if (scan->retry_s != 0) {
		if (now_s < scan->retry_s &&
		    now_s >= scan->retry_s - QUEUE_SCAN_RETRY_S)
			return 0;
		scan->retry_s = 0;
	}
	while (*budget > 0 && start_walk(scan)) {
		const struct dirent *entry;

		--*budget;
		if (scan->named < scan->now_count) {
			switch (ask_for_next(scan, id)) {
			case 1:
				*silent = scan->now[scan->named].silent;
				return 1;
			case -1:
				scan->retry_s = now_s + QUEUE_SCAN_RETRY_S;
				*split =
				    (unsigned)(scan->next % QUEUE_FILE_SPLIT);
				return -1;
			}
			continue;
		}
		if (scan->dir == NULL) {
			int opened = open_directory(scan);

			if (opened == -1)
				return pause_walk(scan, now_s, split);
			scan->walking = opened == 1;
			continue;
		}
		errno = 0;
		entry = readdir(scan->dir);
		if (entry == NULL && errno != 0)
			return pause_walk(scan, now_s, split);
		if (entry == NULL) {
			close_directory(scan);
			continue;
		}
		if (num_parse_u64(span_of(entry->d_name), id) == 0 &&
		    is_wanted(scan, *id, silent))
			return 1;
	}
	return 0;
}
