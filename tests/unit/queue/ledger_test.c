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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_of_failures_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
