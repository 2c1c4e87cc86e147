/* lines of control/qmqpservers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "inject/qmqp_server.h"

static const struct {
	const char *what;
	struct span input;
	const char *want; /* the address, or NULL: no server */
	unsigned port;
} rows[] = {
    {"an IPv4 address", SPAN_LITERAL("192.0.2.1"), "192.0.2.1", 628},
    {"with a port", SPAN_LITERAL("192.0.2.1:6280"), "192.0.2.1", 6280},
    {"with words behind it", SPAN_LITERAL("192.0.2.1 a hub"), "192.0.2.1", 628},
    {"with a tab behind it", SPAN_LITERAL("192.0.2.1:1\tx"), "192.0.2.1", 1},
    {"with letters behind it, as qmail takes it", SPAN_LITERAL("192.0.2.1x"),
	"192.0.2.1", 628},
    {"in brackets", SPAN_LITERAL("[192.0.2.1]:9"), "192.0.2.1", 9},
    {"an IPv6 address", SPAN_LITERAL("2001:db8::1"), "2001:db8::1", 628},
    {"that starts with a colon", SPAN_LITERAL("::1"), "::1", 628},
    {"in brackets", SPAN_LITERAL("[2001:db8::1]"), "2001:db8::1", 628},
    {"in brackets with a port", SPAN_LITERAL("[::1]:65535"), "::1", 65535},
    {"with the prefix of mail", SPAN_LITERAL("[IPv6:::1]:2"), "::1", 2},
    {"an IPv4 address in an IPv6 one", SPAN_LITERAL("::ffff:192.0.2.1"),
	"192.0.2.1", 628},
    {"an IPv6 address with digits like a port", SPAN_LITERAL("2001:db8::1:628"),
	"2001:db8::1:628", 628},
    {"nothing", SPAN_LITERAL(""), NULL, 0},
    {"a leading space", SPAN_LITERAL(" 192.0.2.1"), NULL, 0},
    {"a name", SPAN_LITERAL("hub.example"), NULL, 0},
    {"a name that starts with a digit", SPAN_LITERAL("1.hub.example"), NULL, 0},
    {"three numbers", SPAN_LITERAL("192.0.2"), NULL, 0},
    {"five numbers", SPAN_LITERAL("192.0.2.1.1"), NULL, 0},
    {"a number too big", SPAN_LITERAL("192.0.2.256"), NULL, 0},
    {"port 0", SPAN_LITERAL("192.0.2.1:0"), NULL, 0},
    {"a port too big", SPAN_LITERAL("192.0.2.1:65536"), NULL, 0},
    {"a port of many digits", SPAN_LITERAL("192.0.2.1:99999999999999999999"),
	NULL, 0},
    {"an empty port", SPAN_LITERAL("192.0.2.1:"), NULL, 0},
    {"a port that is no number", SPAN_LITERAL("192.0.2.1:6x"), NULL, 0},
    {"no closing bracket", SPAN_LITERAL("[::1"), NULL, 0},
    {"a space in the brackets", SPAN_LITERAL("[::1 ]"), NULL, 0},
    {"letters behind the bracket", SPAN_LITERAL("[::1]x"), NULL, 0},
    {"an empty port behind the bracket", SPAN_LITERAL("[::1]:"), NULL, 0},
    {"nothing in the brackets", SPAN_LITERAL("[]"), NULL, 0},
    {"a bracket that only closes", SPAN_LITERAL("::1]"), NULL, 0},
    {"a NUL", SPAN_LITERAL("::1\0"), NULL, 0},
};

static void
parses_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct qmqp_server server;
		struct str text = STR_INIT;
		int got = qmqp_server_parse(rows[i].input, &server);

		if ((got == 0) != (rows[i].want != NULL))
			fail_msg("%s: got %d", rows[i].what, got);
		if (got == 0) {
			ip_append(&text, &server.ip);
			if (strcmp(text.s, rows[i].want) != 0 ||
			    server.port != rows[i].port)
				fail_msg("%s: got %s port %u", rows[i].what,
				    text.s, server.port);
		}
		str_free(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
