/* the set of ids, against a plain array */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "queue/id_table.h"

enum {
	RANGE = 3000,
	STEPS = 200000,
};

static void
agrees_with_an_array(void **state)
{
	static uint64_t model[RANGE];
	struct id_table table = ID_TABLE_INIT;
	uint32_t random = 1;
	size_t count = 0;

	(void)state;
	for (uint32_t step = 1; step < STEPS; step++) {
		uint64_t id, *found;
		uint32_t limit = step / 20000 % 2 ? 40 : RANGE - 1;

		random = random * 1664525 + 1013904223;
		id = 1 + (random >> 8) % limit;
		found = id_table_get(&table, id);
		assert_int_equal(found ? *found : 0, model[id]);
		if (random >> 30 == 0) {
			id_table_put(&table, id, step);
			count += model[id] == 0;
			model[id] = step;
		} else {
			id_table_remove(&table, id);
			count -= model[id] != 0;
			model[id] = 0;
		}
		assert_int_equal(table.count, count);
	}
	id_table_clear(&table);
}

static void
the_empty_one_holds_nothing(void **state)
{
	struct id_table table = ID_TABLE_INIT;

	(void)state;
	assert_null(id_table_get(&table, 1));
	assert_null(id_table_get(&table, 0));
	id_table_remove(&table, 1);
	id_table_put(&table, UINT64_MAX, 1);
	assert_null(id_table_get(&table, 0));
	id_table_remove(&table, UINT64_MAX);
	assert_int_equal(table.size, 0); /* its memory is given back */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(agrees_with_an_array),
	    cmocka_unit_test(the_empty_one_holds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
