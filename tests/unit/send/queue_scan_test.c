/* queue_scan: ranges, walks, and what needs no scan */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "send/queue_scan.h"

/* In a fresh directory with files env/S/ID for the ids. */
static int
make_queue(char *path, const uint64_t *ids, size_t count)
{
	char name[64];

	assert_non_null(mkdtemp(path));
	assert_int_equal(chdir(path), 0);
	assert_int_equal(mkdir("env", 0700), 0);
	for (size_t i = 0; i < count; i++) {
		int fd;

		(void)snprintf(
		    name, sizeof(name), "env/%u", (unsigned)(ids[i] % 32));
		(void)mkdir(name, 0700);
		(void)snprintf(name, sizeof(name), "env/%u/%llu",
		    (unsigned)(ids[i] % 32), (unsigned long long)ids[i]);
		fd = open(name, O_CREAT | O_WRONLY, 0600);
		assert_int_not_equal(fd, -1);
		assert_int_equal(close(fd), 0);
	}
	return open(".", O_RDONLY | O_DIRECTORY);
}

static void
remove_queue(const char *path)
{
	char command[128];

	assert_int_equal(chdir("/"), 0);
	(void)snprintf(command, sizeof(command), "rm -rf %s", path);
	assert_int_equal(system(command), 0);
}

/* Walks to the end; returns how many were found and adds up their ids. */
static size_t
walk(struct queue_scan *scan, uint64_t *sum)
{
	size_t found = 0;
	unsigned split;
	uint64_t id;
	bool silent;

	*sum = 0;
	while (queue_scan_is_wanted(scan)) {
		unsigned budget = 3; /* so that it stops everywhere */

		while (queue_scan_next(
			   scan, 100, &budget, &id, &silent, &split) == 1) {
			found++;
			*sum += id;
		}
	}
	return found;
}

static void
finds_what_is_in_a_range(void **state)
{
	static const uint64_t ids[] = {1, 2, 33, 65, 97, 1000, 7};
	char path[] = "/tmp/queue_scan_test.XXXXXX";
	int dir = make_queue(path, ids, COUNT(ids));
	struct queue_scan scan;
	uint64_t sum;

	(void)state;
	queue_scan_init(&scan, dir);
	assert_false(queue_scan_is_wanted(&scan));
	queue_scan_add(&scan, 5, 5, false);
	assert_false(queue_scan_is_wanted(&scan));
	queue_scan_add(&scan, 0, 1001, true);
	assert_int_equal(walk(&scan, &sum), 7);
	assert_int_equal(sum, 1 + 2 + 33 + 65 + 97 + 1000 + 7);
	queue_scan_add(&scan, 2, 7, true);
	queue_scan_add(&scan, 65, 98, false);
	assert_int_equal(walk(&scan, &sum), 3);
	assert_int_equal(sum, 2 + 65 + 97);
	queue_scan_free(&scan);
	assert_int_equal(close(dir), 0);
	remove_queue(path);
}

/* The newest come first, and only once, even if they are made anew. */
static void
asks_for_the_last_by_name(void **state)
{
	enum {
		FIRST = 1001, /* of the last QUEUE_SCAN_NAMED below LIMIT */
		LIMIT = FIRST + QUEUE_SCAN_NAMED
	};
	static const uint64_t ids[] = {
	    3, 500, FIRST - 1, FIRST, LIMIT - 1, LIMIT};
	static const uint64_t order[] = {FIRST, LIMIT - 1};
	char path[] = "/tmp/queue_scan_test.XXXXXX";
	int dir = make_queue(path, ids, COUNT(ids));
	unsigned budget = 2 * QUEUE_SCAN_NAMED, split;
	struct queue_scan scan;
	uint64_t id, sum;
	bool silent;

	(void)state;
	queue_scan_init(&scan, dir);
	queue_scan_add(&scan, 1, LIMIT, true);
	for (size_t i = 0; i < COUNT(order); i++) {
		assert_int_equal(
		    queue_scan_next(&scan, 100, &budget, &id, &silent, &split),
		    1);
		assert_int_equal(id, order[i]);
		assert_true(silent);
	}
	assert_int_equal(walk(&scan, &sum), 3);
	assert_int_equal(sum, 3 + 500 + FIRST - 1);
	queue_scan_free(&scan);
	assert_int_equal(close(dir), 0);
	remove_queue(path);
}

/* An id that cannot be asked for is asked for again later. */
static void
waits_after_trouble_with_a_name(void **state)
{
	static const uint64_t ids[] = {32, 34};
	char path[] = "/tmp/queue_scan_test.XXXXXX";
	int dir = make_queue(path, ids, COUNT(ids)), file;
	unsigned budget = 100, split = 0;
	struct queue_scan scan;
	uint64_t id, sum;
	bool silent;

	(void)state;
	file = open("env/1", O_CREAT | O_WRONLY, 0600); /* no directory */
	assert_int_not_equal(file, -1);
	assert_int_equal(close(file), 0);
	queue_scan_init(&scan, dir);
	queue_scan_add(&scan, 32, 35, false);
	assert_int_equal(
	    queue_scan_next(&scan, 100, &budget, &id, &silent, &split), 1);
	assert_int_equal(id, 32);
	assert_int_equal(
	    queue_scan_next(&scan, 100, &budget, &id, &silent, &split), -1);
	assert_int_equal(split, 1);
	assert_int_equal(
	    queue_scan_next(&scan, 101, &budget, &id, &silent, &split), 0);
	assert_int_equal(unlink("env/1"), 0);
	assert_int_equal(queue_scan_next(&scan, 100 + QUEUE_SCAN_RETRY_S,
			     &budget, &id, &silent, &split),
	    1);
	assert_int_equal(id, 34);
	assert_int_equal(walk(&scan, &sum), 0);
	queue_scan_free(&scan);
	assert_int_equal(close(dir), 0);
	remove_queue(path);
}

static void
passes_over_other_files(void **state)
{
	static const uint64_t ids[] = {32};
	static const char *const others[] = {"env/0/032", "env/0/x",
	    "env/0/32x", "env/0/99999999999999999999", "env/0/-1"};
	char path[] = "/tmp/queue_scan_test.XXXXXX";
	int dir = make_queue(path, ids, COUNT(ids));
	struct queue_scan scan;
	uint64_t sum;

	(void)state;
	for (size_t i = 1; i < COUNT(others); i++)
		assert_int_equal(
		    close(open(others[i], O_CREAT | O_WRONLY, 0600)), 0);
	queue_scan_init(&scan, dir);
	queue_scan_add(&scan, 0, UINT64_MAX, true);
	assert_int_equal(walk(&scan, &sum), 1);
	assert_int_equal(sum, 32);
	queue_scan_free(&scan);
	assert_int_equal(close(dir), 0);
	remove_queue(path);
}

static void
knows_what_is_covered(void **state)
{
	struct queue_coverage coverage = {.end = 0};
	struct queue_scan scan;

	(void)state;
	queue_scan_init(&scan, -1);
	queue_coverage_complete(&coverage, 10, true, &scan);
	assert_int_equal(scan.later_count, 1);
	assert_true(scan.later[0].silent);
	queue_coverage_see(&coverage, 10);
	queue_coverage_see(&coverage, 11);
	queue_coverage_see(&coverage, 14); /* 12 and 13 did not come */
	scan.later_count = 0;
	queue_coverage_complete(&coverage, 17, false, &scan);
	assert_int_equal(scan.later_count, 2);
	assert_int_equal(scan.later[0].from, 12);
	assert_int_equal(scan.later[0].to, 14);
	assert_int_equal(scan.later[1].from, 15);
	assert_int_equal(scan.later[1].to, 17);
	scan.later_count = 0;
	queue_coverage_complete(&coverage, 17, false, &scan);
	assert_int_equal(scan.later_count, 0);
	for (uint64_t id = 20; id < 2000; id += 2)
		queue_coverage_see(&coverage, id);
	queue_coverage_complete(&coverage, 2000, false, &scan);
	assert_int_equal(scan.later_count, QUEUE_SCAN_RANGES_MAX);
	assert_int_equal(scan.later[QUEUE_SCAN_RANGES_MAX - 1].to, 2000);
	queue_scan_free(&scan);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_what_is_in_a_range),
	    cmocka_unit_test(asks_for_the_last_by_name),
	    cmocka_unit_test(waits_after_trouble_with_a_name),
	    cmocka_unit_test(passes_over_other_files),
	    cmocka_unit_test(knows_what_is_covered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
