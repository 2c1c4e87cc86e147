/* delivery: what holds without control files, and with them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "remote/delivery.h"

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
loads_defaults(void **state)
{
	char home[] = "/tmp/delivery_test.XXXXXX";
	struct delivery delivery;

	(void)state;
	assert_non_null(mkdtemp(home));
	assert_int_equal(chdir(home), 0);
	assert_int_equal(mkdir("control", 0700), 0);
	write_file("control/me", "me.example\n");
	assert_null(delivery_load(&delivery));
	assert_true(span_is(str_span(&delivery.helohost), "me.example"));
	assert_int_equal(delivery.timeout_connect_s, 60);
	assert_int_equal(delivery.client.timeout_s, 1200);
	delivery_free(&delivery);

	write_file("control/timeoutconnect", "7\n");
	write_file("control/timeoutremote", "8\n");
	assert_null(delivery_load(&delivery));
	assert_int_equal(delivery.timeout_connect_s, 7);
	assert_int_equal(delivery.client.timeout_s, 8);
	delivery_free(&delivery);

	assert_int_equal(unlink("control/timeoutconnect"), 0);
	assert_int_equal(unlink("control/timeoutremote"), 0);
	assert_int_equal(unlink("control/me"), 0);
	assert_int_equal(rmdir("control"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(home), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(loads_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
