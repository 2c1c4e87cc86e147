/* reverse: which name stands for an address */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "accept/reverse.h"
#include "base/attr.h"
#include "base/clock.h"

static const struct {
	const char *what, *ip, *want;
} rows[] = {
    {"bytes backwards", "192.0.2.1", "1.2.0.192.in-addr.arpa"},
    {"zeros and the longest numbers", "255.0.0.255",
	"255.0.0.255.in-addr.arpa"},
    {"half bytes backwards", "2001:db8::567:89ab",
	"b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
	"ip6.arpa"},
    {"an IPv4 address in IPv6 clothes", "::ffff:192.0.2.1",
	"1.2.0.192.in-addr.arpa"},
};

static void
names(void **state)
{
	struct str to = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ip ip;

		assert_int_equal(ip_parse(span_of(rows[i].ip), &ip), 0);
		reverse_question(&to, &ip);
		if (strcmp(to.s, rows[i].want) != 0)
			fail_msg("%s: got %s", rows[i].what, to.s);
		assert_true(dns_is_name(str_span(&to)));
	}
	str_free(&to);
}

/* A resolver that takes questions and says nothing. */
static void
waits_no_longer_than_told(void **state)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	struct reverse_answer answers[2];
	struct str where = STR_INIT;
	struct ip ips[2];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int64_t started_ms, took_ms;

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(ip_parse(SPAN_LITERAL("127.0.0.1"), &ips[0]), 0);
	ips[1] = ips[0];
	len = ip_to_sockaddr(&ips[0], 0, &address);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	str_format(&where, "127.0.0.1:%u",
	    ntohs(((struct sockaddr_in *)&address)->sin_port));
	assert_int_equal(setenv("DNSCACHEIP", where.s, 1), 0);
	started_ms = clock_mono_ms();
	assert_int_equal(reverse_ask(ips, answers, 2, 1), 0);
	took_ms = clock_mono_ms() - started_ms;
	assert_int_equal(answers[0].status, DNS_SOFT);
	assert_int_equal(answers[1].status, DNS_SOFT);
	assert_true(took_ms >= 900);
	/* libc alone would wait for some ten seconds for each */
	assert_true(took_ms < 9000);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
	str_free(&where);
	assert_int_equal(close(fd), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names),
	    cmocka_unit_test(waits_no_longer_than_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
