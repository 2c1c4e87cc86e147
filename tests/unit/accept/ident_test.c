/* ident: replies of hosts that say what they like */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accept/ident.h"
#include "base/attr.h"

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define LONGEST HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED TEN "12"

static const struct {
	const char *what, *reply;
	size_t len;       /* 0: to its NUL */
	const char *want; /* or NULL */
} rows[] = {
    {"the form of RFC 1413", "6193, 23 : USERID : UNIX : stjohns\r\n", 0,
	"stjohns"},
    {"without blanks", "6193,23:USERID:UNIX:joe\n", 0, "joe"},
    {"with many", " 6193 ,\t23 : userid :\tOTHER ,X :\t joe smith \r\n", 0,
	"joe?smith"},
    {"without a line end", "6193,23:USERID:UNIX:joe", 0, "joe"},
    {"colons may be in the name", "6193,23:USERID:UNIX:a:b:c\r\n", 0, "a:b:c"},
    {"what follows the line does not count",
	"6193,23:USERID:UNIX:joe\r\n6193,23:USERID:UNIX:root\r\n", 0, "joe"},
    {"what a shell might obey", "6193,23:USERID:UNIX:() { :;}; a`b`$c\r\n", 0,
	"?????:????a?b??c"},
    {"bytes that are no printable ASCII",
	"6193,23:USERID:UNIX:j\x1b[2J\xc3\xa4\x7f\r\n", 0, "j?[2J???"},
    {"a NUL ends the line", "6193,23:USERID:UNIX:joe\0x\r\n", 27, "joe"},
    {"the longest name", "6193,23:USERID:UNIX:" LONGEST "\r\n", 0, LONGEST},
    {"a longer one", "6193,23:USERID:UNIX:" LONGEST "x\r\n", 0, NULL},
    {"no name", "6193,23:USERID:UNIX: \r\n", 0, NULL},
    {"an error", "6193,23:ERROR:NO-USER\r\n", 0, NULL},
    {"another remote port", "6194,23:USERID:UNIX:joe\r\n", 0, NULL},
    {"another local port", "6193,24:USERID:UNIX:joe\r\n", 0, NULL},
    {"ports the wrong way round", "23,6193:USERID:UNIX:joe\r\n", 0, NULL},
    {"a port that wraps", "18446744073709557809,23:USERID:UNIX:joe\r\n", 0,
	NULL},
    {"no local port", "6193:USERID:UNIX:joe\r\n", 0, NULL},
    {"no system", "6193,23:USERID:joe\r\n", 0, NULL},
    {"only ports", "6193,23\r\n", 0, NULL},
    {"an empty line", "\r\n", 0, NULL},
    {"nothing", "", 0, NULL},
    {"colons only", ":::::\r\n", 0, NULL},
};

static void
parses(void **state)
{
	static const struct ident_pair pair = {
	    .remote_port = 6193, .local_port = 23};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span reply = {rows[i].reply,
		    rows[i].len > 0 ? rows[i].len : strlen(rows[i].reply)};
		struct str user = STR_INIT;
		bool found = ident_parse(reply, &pair, &user);

		if (found != (rows[i].want != NULL) ||
		    (found && strcmp(user.s, rows[i].want) != 0))
			fail_msg("%s: got %s", rows[i].what, user.s);
		str_free(&user);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
