/* what the ledger makes of reports */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "queue/ledger.h"

enum {
	ID = 7,
};

static const struct row {
	const char *what;
	uint64_t recipients;
	size_t len, want;
} rows[] = {
    {"a usual text is kept", 2, 500, 500},
    {"the longest text is kept", 1000, 10000, 10000},
    {"a longer one is cut", 1, 10001, 10000},
    {"many share what a bounce may hold", 1024 * 1024, 10000, 256},
    {"and short ones of many are kept", 1024 * 1024, 200, 200},
};

static void
texts_of_failures_are_limited(void **state)
{
	static char text[20000];
	struct ledger ledger;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < COUNT(rows); i++) {
		ledger_init(&ledger, NULL, NULL);
		journal_init(&ledger.journal, JOURNAL_SLOTS_MIN, 1024);
		ledger.next_id = ID + 1;
		id_table_put(&ledger.recipients, ID, rows[i].recipients);
		assert_int_equal(ledger_change(&ledger, JOURNAL_FAILED, ID, 0,
				     (struct span){text, rows[i].len}),
		    0);
		if (ledger.texts.len != rows[i].want)
			fail_msg("%s: %zu", rows[i].what, ledger.texts.len);
		ledger_free(&ledger);
	}
}

/* Which files a message may have decides what qmail-clean has to remove. */
static void
only_unmarked_messages_of_this_run_are_plain(void **state)
{
	struct ledger ledger;

	(void)state;
	ledger_init(&ledger, NULL, NULL);
	journal_init(&ledger.journal, JOURNAL_SLOTS_MIN, 1024);
	ledger.next_id = 4;
	ledger_retire(
	    &ledger, 1); /* recovery has not said where this run starts */
	ledger.first_id = 3;
	id_table_put(&ledger.recipients, 4, 2);
	assert_int_equal(
	    ledger_change(&ledger, JOURNAL_DONE, 4, 0, (struct span){"", 0}),
	    0);
	ledger.next_id = 6;
	for (uint64_t id = 2; id < 6; id++)
		ledger_retire(&ledger, id);
	assert_int_equal(ledger.retiring_count, 5);
	assert_true(ledger.retiring[0] == 1);
	assert_true(ledger.retiring[1] == 2);
	assert_true(ledger.retiring[2] == (3 | CLEAN_PLAIN));
	assert_true(ledger.retiring[3] == 4);
	assert_true(ledger.retiring[4] == (5 | CLEAN_PLAIN));
	assert_null(id_table_get(&ledger.marked, 4));
	ledger_free(&ledger);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_of_failures_are_limited),
	    cmocka_unit_test(only_unmarked_messages_of_this_run_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
