/* routes: the values and the look-up of control/smtproutes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/routes.h"

static const struct {
	const char *what, *in;
	int want;
	const char *relay;
	unsigned port;
} rows[] = {
    {"an empty relay is by MX", "", 0, "", 25},
    {"a name", "relay.example", 0, "relay.example", 25},
    {"a name with a port", "relay.example:26", 0, "relay.example", 26},
    {"an address", "192.0.2.1:2525", 0, "192.0.2.1", 2525},
    {"an address in brackets", "[192.0.2.1]:2525", 0, "[192.0.2.1]", 2525},
    {"IPv6 in brackets", "[2001:db8::1]", 0, "[2001:db8::1]", 25},
    {"IPv6 with a port", "[2001:db8::1]:26", 0, "[2001:db8::1]", 26},
    {"by MX at another port", ":26", 0, "", 26},
    {"a colon without a port", "relay.example:", 0, "relay.example", 25},
    {"port 65535", "r:65535", 0, "r", 65535},
    {"port 65536", "r:65536", -1, NULL, 0},
    {"port 0", "r:0", -1, NULL, 0},
    {"a port with letters", "r:25a", -1, NULL, 0},
    {"two ports", "r:25:26", -1, NULL, 0},
    {"an open bracket", "[192.0.2.1", -1, NULL, 0},
    {"bytes behind the bracket", "[192.0.2.1]25", -1, NULL, 0},
    {"a space in front", " relay.example", -1, NULL, 0},
    {"a password is not dropped", "r:25|user|secret", -1, NULL, 0},
    {"nor without a port", "r|user|secret", -1, NULL, 0},
    {"a CR at the end", "relay.example\r", -1, NULL, 0},
};

static void
reads_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct route route;

		print_message("%s\n", rows[i].what);
		assert_int_equal(
		    route_parse(span_of(rows[i].in), &route), rows[i].want);
		if (rows[i].want == -1)
			continue;
		assert_true(span_is(route.relay, rows[i].relay));
		assert_int_equal(route.port, rows[i].port);
	}
}

static const struct {
	const char *what, *in;
	int want;
	const char *relay;
	unsigned port;
} qmtp_rows[] = {
    {"nothing", "", 0, "", 209},
    {"a name", "relay.example", 0, "relay.example", 209},
    {"a port behind a colon", "relay.example:210", 0, "relay.example", 210},
    {"a port behind a semicolon", "relay.example;210", 0, "relay.example", 210},
    {"a semicolon alone", "relay.example;", 0, "relay.example", 209},
    {"IPv6 with a port", "[2001:db8::1];210", 0, "[2001:db8::1]", 210},
    {"the port of TLS", "relay.example;6209", -1, NULL, 0},
    {"two ports", "relay.example;210;211", -1, NULL, 0},
    {"a port with letters", "relay.example;a", -1, NULL, 0},
    {"a bar", "relay.example|x", -1, NULL, 0},
};

static void
reads_qmtp_values(void **state)
{
	struct route route;

	(void)state;
	for (size_t i = 0; i < COUNT(qmtp_rows); i++) {
		print_message("%s\n", qmtp_rows[i].what);
		assert_int_equal(
		    route_parse_qmtp(span_of(qmtp_rows[i].in), &route),
		    qmtp_rows[i].want);
		if (qmtp_rows[i].want == -1)
			continue;
		assert_true(span_is(route.relay, qmtp_rows[i].relay));
		assert_int_equal(route.port, qmtp_rows[i].port);
	}
	/* what smtproutes means by a semicolon is a name, as before */
	assert_int_equal(route_parse(span_of("a;210"), &route), 0);
	assert_true(span_is(route.relay, "a;210"));
}

/* Reads text as the file control/smtproutes is read. */
static void
make_table(struct span text, struct control_table *table)
{
	char path[] = "/tmp/routes_test.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd != -1);
	assert_int_equal(write(fd, text.s, text.len), (ssize_t)text.len);
	assert_int_equal(close(fd), 0);
	assert_int_equal(control_map(path, table), 1);
	assert_int_equal(unlink(path), 0);
}

static void
looks_up(void **state)
{
	static const char text[] = "a.example:one:1\n"
				   ".a.example:two:2\n"
				   ".deep.a.example:\n"
				   "b.example:old:1\n"
				   "b.example:new:2\n"
				   "# comment:x\n"
				   "no colon\n"
				   "bad.example:x:y\n"
				   ":all:9\n";
	static const struct {
		const char *what, *domain, *relay;
		unsigned port;
	} finds[] = {
	    {"the whole domain", "a.example", "one", 1},
	    {"in any case", "A.Example", "one", 1},
	    {"what is below it", "x.a.example", "two", 2},
	    {"the longest suffix, here by MX", "x.deep.a.example", "", 25},
	    {"the last of equal keys", "b.example", "new", 2},
	    {"the rest", "c.example", "all", 9},
	    {"a literal", "[192.0.2.1]", "all", 9},
	    {"the empty domain", "", "all", 9},
	};
	struct control_table table = CONTROL_TABLE_INIT, none = table;
	struct route route;

	(void)state;
	make_table(SPAN_LITERAL(text), &table);
	for (size_t i = 0; i < COUNT(finds); i++) {
		print_message("%s\n", finds[i].what);
		assert_int_equal(
		    route_find(&table, span_of(finds[i].domain), &route), 0);
		assert_true(span_is(route.relay, finds[i].relay));
		assert_int_equal(route.port, finds[i].port);
	}
	assert_int_equal(
	    route_find(&table, span_of("bad.example"), &route), -1);
	assert_int_equal(route_find(&none, span_of("a.example"), &route), 0);
	assert_int_equal(route.relay.len, 0);
	assert_int_equal(route.port, 25);
	control_table_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_values),
	    cmocka_unit_test(reads_qmtp_values),
	    cmocka_unit_test(looks_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
