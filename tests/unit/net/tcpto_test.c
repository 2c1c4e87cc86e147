/* tcpto: the records of run/tcpto, byte by byte */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/tcpto.h"

enum {
	NOW = 0x6b0338cb,
	PAUSE = 60 * 64, /* of a process whose number is 0 modulo 32 */
};

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(span_of(text), &ip), 0);
	return ip;
}

static void
writes_the_documented_bytes(void **state)
{
	static const unsigned char two[16] = {
	    10, 0, 0, 1, 2, 0, 0, 0, 0xcb, 0x38, 0x03, 0x6b};
	struct tcpto_table table = {.len = TCPTO_SIZE};
	struct ip ip = ip_of("10.0.0.1");

	(void)state;
	assert_int_equal(tcpto_table_note(&table, &ip, NOW - 120, true), 0);
	assert_int_equal(tcpto_table_note(&table, &ip, NOW, true), 0);
	assert_memory_equal(table.bytes, two, sizeof(two));
	/* a refused connection: only the count goes */
	assert_int_equal(tcpto_table_note(&table, &ip, NOW + 9, false), 0);
	assert_int_equal(table.bytes[4], 0);
	table.bytes[4] = 2;
	assert_memory_equal(table.bytes, two, sizeof(two));
}

static const struct {
	const char *what;
	int timeouts, step_s; /* noted one after the other, step_s apart */
	int64_t later_s;
	pid_t pid;
	bool dead;
} rows[] = {
    {"one timeout is forgiven", 1, 200, 0, 0, false},
    {"two are not", 2, 200, 0, 0, true},
    {"two within two minutes are one", 2, 119, 0, 0, false},
    {"two in exactly two minutes are two", 2, 120, 0, 0, true},
    {"dead to the last second", 2, 200, PAUSE - 1, 0, true},
    {"then tried again", 2, 200, PAUSE, 0, false},
    {"other processes wait longer", 2, 200, PAUSE + 31 * 64 - 1, 31, true},
    {"but not for ever", 2, 200, PAUSE + 31 * 64, 63, false},
    {"many timeouts", 300, 200, 0, 0, true},
};

static void
decides(void **state)
{
	struct ip ip = ip_of("192.0.2.1"), other = ip_of("192.0.2.2");

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tcpto_table table = {.len = TCPTO_SIZE};
		int64_t now = NOW;
		bool known;

		print_message("%s\n", rows[i].what);
		for (int n = 0; n < rows[i].timeouts; n++) {
			now += n > 0 ? rows[i].step_s : 0;
			(void)tcpto_table_note(&table, &ip, now, true);
		}
		if (rows[i].timeouts == 2 && rows[i].step_s < 120)
			now = NOW;
		assert_int_equal(
		    tcpto_table_is_dead(&table, &ip, now + rows[i].later_s,
			rows[i].pid, &known),
		    rows[i].dead);
		assert_true(known);
		assert_int_equal(table.bytes[4],
		    rows[i].timeouts > 10      ? 10
			: rows[i].step_s < 120 ? 1
					       : rows[i].timeouts);
		assert_false(
		    tcpto_table_is_dead(&table, &other, now, 0, &known));
		assert_false(known);
	}
}

static void
replaces_the_least_missed(void **state)
{
	struct tcpto_table table = {.len = TCPTO_SIZE};
	struct ip ip = ip_of("10.1.0.0"), late = ip_of("10.2.0.0");

	(void)state;
	for (int i = 0; i < TCPTO_RECORDS; i++) {
		ip.bytes[3] = (unsigned char)i;
		assert_int_equal(
		    tcpto_table_note(&table, &ip, NOW + i, true), i * 16);
	}
	/* the oldest has one timeout more: 1024 seconds in its favour */
	ip.bytes[3] = 0;
	assert_int_equal(tcpto_table_note(&table, &ip, NOW + 200, true), 0);
	assert_int_equal(tcpto_table_note(&table, &late, NOW + 300, true), 16);
	assert_memory_equal(table.bytes + 16, late.bytes, 4);
	assert_int_equal(table.bytes[16 + 4], 1);
	/* a record whose count was cleared goes first */
	ip.bytes[3] = 40;
	assert_int_equal(
	    tcpto_table_note(&table, &ip, NOW + 300, false), 40 * 16);
	late.bytes[3] = 1;
	assert_int_equal(
	    tcpto_table_note(&table, &late, NOW + 300, true), 40 * 16);
}

/* The record that a new address takes if that of two timeouts, the last one at
   NOW + 120, is the first, and all others have one, which was then. */
static size_t
replaced(int64_t others_s)
{
	struct tcpto_table table = {.len = TCPTO_SIZE};
	struct ip ip = ip_of("10.1.0.0"), late = ip_of("10.2.0.0");

	assert_int_equal(tcpto_table_note(&table, &ip, NOW, true), 0);
	assert_int_equal(tcpto_table_note(&table, &ip, NOW + 120, true), 0);
	for (int i = 1; i < TCPTO_RECORDS; i++) {
		ip.bytes[3] = (unsigned char)i;
		assert_int_equal(
		    tcpto_table_note(&table, &ip, others_s, true), i * 16);
	}
	return tcpto_table_note(&table, &late, others_s, true);
}

static void
counts_a_timeout_as_1024_seconds(void **state)
{
	(void)state;
	assert_int_equal(replaced(NOW + 120 + 1024 - 1), 16);
	assert_int_equal(replaced(NOW + 120 + 1024 + 1), 0);
}

static void
ignores_what_it_cannot_hold(void **state)
{
	struct tcpto_table table = {.len = TCPTO_SIZE}, empty = {.len = 0};
	struct ip six = ip_of("2001:db8::1"), zero = ip_of("0.0.0.0");
	struct ip four = ip_of("10.0.0.1");
	bool known;

	(void)state;
	assert_int_equal(tcpto_table_note(&table, &six, NOW, true), SPAN_NONE);
	assert_int_equal(
	    tcpto_table_note(&table, &four, NOW, false), SPAN_NONE);
	assert_int_equal(tcpto_table_note(&empty, &four, NOW, true), SPAN_NONE);
	assert_false(tcpto_table_is_dead(&table, &six, NOW, 0, &known));
	assert_false(tcpto_table_is_dead(&table, &zero, NOW, 0, &known));
	assert_false(known);
}

static void
lists_what_is_remembered(void **state)
{
	struct tcpto_table table = {.len = TCPTO_SIZE};
	struct ip first = ip_of("10.0.0.1"), second = ip_of("10.0.0.2");
	struct tcpto_entry entry;
	size_t at = 0;

	(void)state;
	assert_int_equal(tcpto_table_next(&table, &at, &entry), 0);
	(void)tcpto_table_note(&table, &first, NOW - 500, true);
	(void)tcpto_table_note(&table, &second, NOW - 400, true);
	(void)tcpto_table_note(&table, &second, NOW, true);
	at = 0;
	assert_int_equal(tcpto_table_next(&table, &at, &entry), 1);
	assert_true(ip_is_equal(&entry.ip, &first));
	assert_int_equal(tcpto_table_next(&table, &at, &entry), 1);
	assert_true(ip_is_equal(&entry.ip, &second));
	assert_int_equal(entry.count, 2);
	assert_int_equal(entry.last_s, NOW);
	assert_int_equal(tcpto_table_next(&table, &at, &entry), 0);
	/* a record with the count cleared is not shown */
	(void)tcpto_table_note(&table, &first, NOW, false);
	at = 0;
	assert_int_equal(tcpto_table_next(&table, &at, &entry), 1);
	assert_true(ip_is_equal(&entry.ip, &second));
	table.len = 0;
	at = 0;
	assert_int_equal(tcpto_table_next(&table, &at, &entry), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_the_documented_bytes),
	    cmocka_unit_test(decides),
	    cmocka_unit_test(replaces_the_least_missed),
	    cmocka_unit_test(counts_a_timeout_as_1024_seconds),
	    cmocka_unit_test(ignores_what_it_cannot_hold),
	    cmocka_unit_test(lists_what_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
