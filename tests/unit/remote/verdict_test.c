/* verdict: records, and the result of one recipient */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "remote/verdict.h"

static struct ip
some_ip(void)
{
	struct ip ip;

	assert_int_equal(ip_parse(span_of("192.0.2.1"), &ip), 0);
	return ip;
}

static void
prints_records(void **state)
{
	static const char want[] =
	    "r\0"
	    "h192.0.2.1 does not like recipient.\nRemote host said: 550 no\n\0"
	    "s192.0.2.1 does not like recipient.\n"
	    "Remote host said: 450-no\n450 later\n\0"
	    "K192.0.2.1 accepted message.\nRemote host said: 250 ok\n";
	struct verdict verdict;
	struct str text = STR_INIT;
	struct ip ip = some_ip();
	char letter;

	(void)state;
	verdict_init(&verdict, 3);
	verdict.recipients[0].letter = 'r';
	verdict_refuse(
	    &verdict.recipients[1], 'h', &ip, SPAN_LITERAL("550 no\n"));
	verdict_refuse(&verdict.recipients[2], 's', &ip,
	    SPAN_LITERAL("450-no\n450 later\n"));
	verdict_set_host(&verdict, 'K', "", &ip, " accepted message.",
	    SPAN_LITERAL("250 ok"));
	verdict_append_records(&text, &verdict);
	assert_int_equal(text.len, sizeof(want));
	assert_memory_equal(text.s, want, sizeof(want));

	assert_true(span_starts_nocase(
	    verdict_result(&verdict, 0, &letter), "192.0.2.1 accepted"));
	assert_int_equal(letter, 'K');
	assert_true(span_starts_nocase(
	    verdict_result(&verdict, 1, &letter), "192.0.2.1 does not"));
	assert_int_equal(letter, 'D');
	(void)verdict_result(&verdict, 2, &letter);
	assert_int_equal(letter, 'Z');
	str_free(&text);
	verdict_free(&verdict);
}

static void
stops_records_at_the_unknown(void **state)
{
	static const char want[] = "r\0Zlater\n";
	struct verdict verdict;
	struct str text = STR_INIT;
	char letter;

	(void)state;
	verdict_init(&verdict, 3);
	verdict.recipients[0].letter = 'r';
	verdict_refuse_here(&verdict.recipients[2], "bad");
	verdict_set(&verdict, 'Z', "later");
	verdict_append_records(&text, &verdict);
	assert_int_equal(text.len, sizeof(want));
	assert_memory_equal(text.s, want, sizeof(want));
	assert_true(span_is(verdict_result(&verdict, 1, &letter), "later\n"));
	assert_int_equal(letter, 'Z');
	assert_true(span_is(verdict_result(&verdict, 2, &letter), "bad\n"));
	assert_int_equal(letter, 'D');
	str_free(&text);
	verdict_free(&verdict);
}

static void
forgets_servers_but_not_its_own_word(void **state)
{
	struct verdict verdict;
	struct ip ip = some_ip();

	(void)state;
	verdict_init(&verdict, 2);
	verdict_refuse(&verdict.recipients[0], 's', &ip, SPAN_LITERAL("x\n"));
	verdict_refuse_here(&verdict.recipients[1], "bad");
	verdict_reset(&verdict);
	assert_int_equal(verdict.recipients[0].letter, 0);
	assert_int_equal(verdict.recipients[0].text.len, 0);
	assert_int_equal(verdict.recipients[1].letter, 'h');
	verdict_free(&verdict);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(prints_records),
	    cmocka_unit_test(stops_records_at_the_unknown),
	    cmocka_unit_test(forgets_servers_but_not_its_own_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
