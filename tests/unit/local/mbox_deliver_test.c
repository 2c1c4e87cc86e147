/* mbox_deliver: how long it waits for the lock, by a clock of the test's own */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/die.h"
#include "local/mbox_deliver.h"
#include "local/mbox_lock.h"

#define START_MS INT64_C(5000000)

static struct {
	int64_t now_ms;
	int64_t release_ms; /* then the other program gives up its lock */
	int holder;         /* the descriptor by which it has it */
} world;

/* These two take the place of the system's. */
int
clock_gettime(clockid_t clock, struct timespec *to)
{
	(void)clock;
	to->tv_sec = (time_t)(world.now_ms / 1000);
	to->tv_nsec = (long)(world.now_ms % 1000) * 1000000;
	return 0;
}

int
nanosleep(const struct timespec *span, struct timespec *rest)
{
	(void)rest;
	world.now_ms += span->tv_sec * INT64_C(1000) + span->tv_nsec / 1000000;
	if (world.now_ms >= world.release_ms)
		(void)flock(world.holder, LOCK_UN);
	return 0;
}

/* A file that the other program has locked. */
static void
lock_file(char *path, int64_t release_ms)
{
	world.holder = mkstemp(path);
	assert_int_not_equal(world.holder, -1);
	assert_int_equal(flock(world.holder, LOCK_EX), 0);
	world.now_ms = START_MS;
	world.release_ms = release_ms;
}

static void
remove_file(const char *path)
{
	assert_int_equal(close(world.holder), 0);
	assert_int_equal(unlink(path), 0);
}

static void
waits_30_seconds_for_the_lock(void **state)
{
	char path[] = "/tmp/mbox-XXXXXX";
	struct report report = REPORT_INIT(0);
	const char *end;

	(void)state;
	lock_file(path, INT64_MAX);
	assert_int_equal(
	    mbox_deliver(path, span_of("From x\n"), NULL, &report), EXIT_TEMP);
	assert_in_range(world.now_ms - START_MS, 30000, 30500);
	end = strrchr(report.text.s, '(');
	assert_non_null(end);
	assert_string_equal(end, "(#4.3.0)\n");
	assert_int_equal(lseek(world.holder, 0, SEEK_END), 0);
	str_free(&report.text);
	remove_file(path);
}

static void
takes_a_lock_that_comes_in_time(void **state)
{
	char path[] = "/tmp/mbox-XXXXXX";
	int fd;

	(void)state;
	lock_file(path, START_MS + 29000);
	assert_int_equal(
	    mbox_lock_open(path, O_WRONLY | O_APPEND, &fd), MBOX_LOCKED);
	assert_in_range(world.now_ms - START_MS, 29000, 29500);
	assert_int_equal(close(fd), 0);
	remove_file(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(waits_30_seconds_for_the_lock),
	    cmocka_unit_test(takes_a_lock_that_comes_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
