/* the trace line of the receivers, byte for byte */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "mail/received.h"

struct row {
	const char *what;
	const char *host, *ip, *info, *helo, *local, *protocol;
	const char *want;
};

#define DATE "22 Nov 2026 18:46:21 -0000\n"

static const struct row rows[] = {
    {"all parts", "a.example", "192.0.2.7", "joe", "b.example", "c.example",
	"SMTP",
	"Received: from a.example (HELO b.example) (joe@192.0.2.7)\n"
	"  by c.example with SMTP; " DATE},
    {"HELO with the host's own name, in another case", "a.example", "192.0.2.7",
	NULL, "A.Example", "c", "SMTP",
	"Received: from a.example (192.0.2.7)\n  by c with SMTP; " DATE},
    {"no HELO", "unknown", "192.0.2.7", NULL, NULL, "c", "QMTP",
	"Received: from unknown (192.0.2.7)\n  by c with QMTP; " DATE},
    {"HELO without an argument", "unknown", "unknown", NULL, "", "unknown",
	"SMTP",
	"Received: from unknown (HELO ) (unknown)\n"
	"  by unknown with SMTP; " DATE},
    {"unsafe bytes in ident's answer", "h", "192.0.2.7", "in_fo x", NULL, "c",
	"SMTP",
	"Received: from h (in?fo?x@192.0.2.7)\n  by c with SMTP; " DATE},
    {"an empty ident answer", "h", "192.0.2.7", "", NULL, "c", "SMTP",
	"Received: from h (@192.0.2.7)\n  by c with SMTP; " DATE},
    {"all safe bytes that are no letters", "h", "2001:db8::1", NULL,
	"0.@%+/=:-[]9", "c", "SMTP",
	"Received: from h (HELO 0.@%+/=:-[]9) (2001:db8::1)\n"
	"  by c with SMTP; " DATE},
    {"line ends and parentheses cannot be forged", "h", "i", NULL,
	"x)\r\nSubject: y\xff", "c", "SMTP",
	"Received: from h (HELO x???Subject:?y?) (i)\n"
	"  by c with SMTP; " DATE},
};

static void
writes_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct received received = {.host = span_of(row->host),
		    .ip = span_of(row->ip),
		    .info = span_of(row->info ? row->info : ""),
		    .helo = span_of(row->helo ? row->helo : ""),
		    .local = span_of(row->local),
		    .protocol = span_of(row->protocol),
		    .has_info = row->info != NULL,
		    .has_helo = row->helo != NULL};
		struct str made = STR_INIT;

		received_append(&made, &received, 1795373181);
		if (strcmp(made.s, row->want) != 0)
			fail_msg("%s: got %s", row->what, made.s);
		str_free(&made);
	}
}

static void
cuts_long_parts(void **state)
{
	char helo[5000];
	struct received received = {.host = SPAN_LITERAL("h"),
	    .ip = SPAN_LITERAL("i"),
	    .helo = {helo, sizeof(helo)},
	    .local = SPAN_LITERAL("c"),
	    .protocol = SPAN_LITERAL("SMTP"),
	    .has_helo = true};
	struct str made = STR_INIT;

	(void)state;
	memset(helo, 'x', sizeof(helo));
	received_append(&made, &received, 0);
	assert_true(made.len < 400);
	str_free(&made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_rows),
	    cmocka_unit_test(cuts_long_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
