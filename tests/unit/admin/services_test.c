/* services: the servers by name, and their ports */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "admin/services.h"

static const struct {
	const char *name, *protocol;
	unsigned long port;
} rows[] = {
    {"smtpd", "smtp", 25},
    {"submission", "submission", 587},
    {"pop3d", "pop3", 110},
    {"qmtpd", "qmtp", 209},
    {"qmqpd", "qmqp", 628},
};

static void
knows_the_ports(void **state)
{
	(void)state;
	assert_int_equal(COUNT(rows), SERVICES_SERVERS);
	for (size_t i = 0; i < COUNT(rows); i++) {
		int server = services_server_find(span_of(rows[i].name));

		assert_int_not_equal(server, -1);
		assert_string_equal(
		    services_server_name((size_t)server), rows[i].name);
		assert_string_equal(
		    services_server_protocol((size_t)server), rows[i].protocol);
		assert_int_equal(
		    services_server_port((size_t)server), rows[i].port);
	}
}

static void
finds_whole_names_only(void **state)
{
	(void)state;
	assert_int_equal(services_server_find(span_of("imapd")), -1);
	assert_int_equal(services_server_find(span_of("smtp")), -1);
	assert_int_equal(services_server_find(span_of("")), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(knows_the_ports),
	    cmocka_unit_test(finds_whole_names_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
