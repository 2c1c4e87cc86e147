/* hosts: how many jobs each may have, and whose turn it is */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "send/hosts.h"

enum {
	SLOTS = 20,
	MINUTE_MS = 60 * 1000,
};

static struct hosts hosts;

static int
set_up(void **state)
{
	(void)state;
	hosts = (struct hosts)HOSTS_INIT;
	hosts_init(&hosts, 7);
	hosts.slots = hosts.host_jobs = SLOTS;
	hosts.now_ms = 1000;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	hosts_free(&hosts);
	return 0;
}

static struct host *
hold(const char *name)
{
	return hosts_hold(&hosts, span_of(name));
}

/* Starts jobs as long as it may; returns how many run then. */
static unsigned long
fill(struct host *host)
{
	while (hosts.used < hosts.slots && hosts_may_start(&hosts, host)) {
		host->running++;
		hosts.used++;
	}
	return host->running;
}

static void
end(struct host *host, enum hosts_outcome outcome)
{
	host->running--;
	hosts.used--;
	hosts_note(&hosts, host, outcome);
}

static void
grows_with_success_and_leaves_a_quarter(void **state)
{
	struct host *host = hold("h");

	(void)state;
	assert_int_equal(fill(host), HOSTS_START);
	for (unsigned long i = HOSTS_START; i < 15; i++) {
		end(host, HOSTS_ANSWERED);
		assert_int_equal(fill(host), i + 1);
	}
	for (int i = 0; i < 30; i++) {
		end(host, HOSTS_ANSWERED);
		assert_int_equal(fill(host), 15);
	}
	hosts_release(&hosts, host);
}

static void
shrinks_with_trouble(void **state)
{
	static const enum hosts_outcome bad[] = {
	    HOSTS_BROKE, HOSTS_UNREACHABLE};
	struct host *host = hold("h");

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		host->limit = 16;
		hosts_note(&hosts, host, HOSTS_UNKNOWN);
		assert_int_equal(host->limit, 16);
		hosts_note(&hosts, host, bad[i]);
		assert_int_equal(host->limit, 8);
		for (int n = 0; n < 5; n++)
			hosts_note(&hosts, host, bad[i]);
		assert_int_equal(host->limit, 1);
		assert_int_equal(fill(host), 1);
		end(host, HOSTS_ANSWERED);
		assert_int_equal(fill(host), 2);
		end(host, HOSTS_ANSWERED);
		end(host, HOSTS_ANSWERED);
	}
	hosts_release(&hosts, host);
}

static void
obeys_concurrencyhost(void **state)
{
	struct host *host = hold("h");

	(void)state;
	hosts.host_jobs = 2;
	host->limit = 10;
	assert_int_equal(fill(host), 2);
	hosts_release(&hosts, host);
}

static void
few_slots_are_all_used(void **state)
{
	struct host *host = hold("h");

	(void)state;
	host->limit = 100;
	for (size_t slots = 1; slots < HOSTS_RESERVE_MIN; slots++) {
		hosts.slots = slots;
		assert_int_equal(fill(host), slots);
		host->running = hosts.used = 0;
	}
	hosts_release(&hosts, host);
}

/* One slow host, whose jobs do not end, and twenty fast ones. */
static void
a_slow_host_does_not_take_all(void **state)
{
	struct host *slow = hold("slow"), *fast[20];
	char name[8];

	(void)state;
	slow->limit = SLOTS;
	assert_int_equal(fill(slow), 15);
	for (size_t i = 0; i < COUNT(fast); i++) {
		(void)snprintf(name, sizeof(name), "f%zu", i);
		fast[i] = hold(name);
		if (hosts.used < hosts.slots) {
			fast[i]->running++;
			hosts.used++;
		}
	}
	assert_int_equal(hosts.used, SLOTS);
	/* each slot that the slow one gives back goes to another */
	while (slow->running > 1) {
		end(slow, HOSTS_ANSWERED);
		assert_false(hosts_may_start(&hosts, slow));
		for (size_t i = 0; i < COUNT(fast); i++) {
			if (fast[i]->running == 0) {
				assert_true(hosts_may_start(&hosts, fast[i]));
				fast[i]->running++;
				hosts.used++;
				break;
			}
		}
	}
	/* one it may always have */
	end(slow, HOSTS_ANSWERED);
	assert_true(hosts_may_start(&hosts, slow));
	for (size_t i = 0; i < COUNT(fast); i++)
		hosts_release(&hosts, fast[i]);
	hosts_release(&hosts, slow);
}

static void
is_down_for_longer_and_longer(void **state)
{
	static const int64_t minutes[] = {1, 2, 4, 8, 16, 32, 60, 60};
	struct host *host = hold("h");

	(void)state;
	for (int i = 1; i < HOSTS_DOWN_AFTER; i++) {
		hosts_note(&hosts, host, HOSTS_UNREACHABLE);
		assert_false(hosts_is_down(&hosts, host));
	}
	/* nothing but connections counts */
	for (int i = 0; i < 20; i++)
		hosts_note(&hosts, host, HOSTS_BROKE);
	assert_false(hosts_is_down(&hosts, host));
	for (size_t i = 0; i < COUNT(minutes); i++) {
		hosts_note(&hosts, host, HOSTS_UNREACHABLE);
		assert_true(hosts_is_down(&hosts, host));
		/* jobs that were under way say nothing new */
		hosts_note(&hosts, host, HOSTS_UNREACHABLE);
		/* it is remembered when nobody holds it */
		hosts_release(&hosts, host);
		hosts.now_ms += minutes[i] * MINUTE_MS - 1;
		assert_true(hosts_is_down(&hosts, host));
		hosts.now_ms++;
		assert_false(hosts_is_down(&hosts, host));
		assert_ptr_equal(hold("h"), host);
	}
	hosts_note(&hosts, host, HOSTS_ANSWERED);
	assert_int_equal(hosts.down_count, 0);
	hosts_note(&hosts, host, HOSTS_UNREACHABLE);
	assert_false(hosts_is_down(&hosts, host));
	hosts_release(&hosts, host);
	assert_int_equal(hosts.count, 0);
}

static void
forgets_who_was_down(void **state)
{
	char name[8];

	(void)state;
	for (size_t i = 0; i < HOSTS_DOWN_MAX + 10; i++) {
		struct host *host;

		(void)snprintf(name, sizeof(name), "h%zu", i);
		host = hold(name);
		for (int n = 0; n < HOSTS_DOWN_AFTER; n++)
			hosts_note(&hosts, host, HOSTS_UNREACHABLE);
		assert_true(hosts_is_down(&hosts, host));
		hosts_release(&hosts, host);
	}
	assert_int_equal(hosts.count, HOSTS_DOWN_MAX);
	assert_false(hosts_is_down(&hosts, hold("h0")));
	assert_true(hosts_is_down(&hosts, hold("h11")));
	hosts_forgive(&hosts);
	assert_false(hosts_is_down(&hosts, hold("h11")));
	assert_int_equal(hosts.down_count, 0);
	assert_int_equal(hosts.count, 2);
}

static void
those_who_wait_take_turns(void **state)
{
	struct host *a = hold("a"), *b = hold("b"), *busy = hold("busy");
	static const uintptr_t want[] = {1, 11, 2, 12, 3};
	struct host_waiter waiter;

	(void)state;
	busy->running = busy->limit;
	hosts_wait(&hosts, busy, (struct message *)(uintptr_t)21, NULL);
	for (uintptr_t i = 1; i <= 3; i++)
		hosts_wait(&hosts, a, (struct message *)i, NULL);
	for (uintptr_t i = 11; i <= 12; i++)
		hosts_wait(&hosts, b, (struct message *)i, NULL);
	hosts_release(&hosts, a);
	hosts_release(&hosts, b);
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_int_equal(hosts_wake(&hosts, &waiter), 1);
		assert_int_equal((uintptr_t)waiter.message, want[i]);
	}
	assert_int_equal(hosts_wake(&hosts, &waiter), 0);
	assert_int_equal(hosts.count, 1);
	busy->running--;
	assert_int_equal(hosts_wake(&hosts, &waiter), 1);
	assert_int_equal((uintptr_t)waiter.message, 21);
	assert_int_equal(hosts_wake(&hosts, &waiter), 0);
	hosts_release(&hosts, busy);
	assert_int_equal(hosts.count, 0);
}

static bool
is_odd(void *owner, const struct host_waiter *waiter)
{
	(void)owner;
	return (uintptr_t)waiter->message % 2 == 1;
}

static void
some_are_taken_out(void **state)
{
	static const uintptr_t want[] = {2, 22, 4};
	struct host *names[] = {hold("a"), hold("b"), hold("c")};
	static const uintptr_t who[3][4] = {
	    {1, 2, 3, 4}, {11, 13, 0, 0}, {21, 22, 0, 0}};
	struct host_waiter waiter, *taken;
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t n = 0; n < 4 && who[i][n] != 0; n++)
			hosts_wait(&hosts, names[i],
			    (struct message *)who[i][n], NULL);
		hosts_release(&hosts, names[i]);
	}
	taken = hosts_take_waiters(&hosts, is_odd, NULL);
	while (taken != NULL) {
		struct host_waiter *next = taken->next;

		free(taken);
		taken = next;
		count++;
	}
	assert_int_equal(count, 5);
	assert_int_equal(hosts.count, 2);
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_int_equal(hosts_wake(&hosts, &waiter), 1);
		assert_int_equal((uintptr_t)waiter.message, want[i]);
	}
	assert_int_equal(hosts_wake(&hosts, &waiter), 0);
	assert_int_equal(hosts.count, 0);
}

static void
names_have_no_case_and_grow_in_number(void **state)
{
	struct host *host = hold("H.example");

	(void)state;
	assert_ptr_equal(host, hold("h.EXAMPLE"));
	hosts_release(&hosts, host);
	hosts_release(&hosts, host);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 2000; i++) {
			char name[2] = {(char)(i % 250), (char)(i / 250)};

			host = hosts_hold(&hosts, (struct span){name, 2});
			if (round == 1) {
				hosts_release(&hosts, host);
				hosts_release(&hosts, host);
			}
		}
	}
	/* names that differ in case only were one, held twice as often */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(grows_with_success_and_leaves_a_quarter),
	    TEST(shrinks_with_trouble),
	    TEST(obeys_concurrencyhost),
	    TEST(few_slots_are_all_used),
	    TEST(a_slow_host_does_not_take_all),
	    TEST(is_down_for_longer_and_longer),
	    TEST(forgets_who_was_down),
	    TEST(those_who_wait_take_turns),
	    TEST(some_are_taken_out),
	    TEST(names_have_no_case_and_grow_in_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
