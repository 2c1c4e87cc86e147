/* check_text: what is odd about the text of a control file */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/check_text.h"
#include "admin/control_text.h"
#include "base/attr.h"

static const struct {
	const char *what, *name, *text;
	const char *want; /* the first line of the one finding, or NULL */
} rows[] = {
    {"a full name is none", "me", "a.example\n", NULL},
    {"a last line without LF is none", "me", "A.Example", NULL},
    {"blanks at the end are none", "me", "a.example \t\n", NULL},
    {"empty lines behind a value are none", "me", "a.example\n\n \n", NULL},
    {"a name without a dot", "me", "host\n",
	"control/me:1: host is not the full name of a host"},
    {"a name with a final dot", "me", "a.example.\n",
	"control/me:1: a.example. is not the full name of a host"},
    {"a name with a CR is one finding", "me", "a.example\r\n",
	"control/me:1: the line ends with a CR"},
    {"an address as greeting is none", "helohost", "[192.0.2.1]\n", NULL},
    {"a value that is no host", "bouncehost", "a b\n",
	"control/bouncehost:1: a b is no host name"},
    {"an empty file of a value", "idhost", "",
	"control/idhost: the first line is empty"},
    {"an empty first line", "idhost", " \n",
	"control/idhost: the first line is empty"},
    {"an empty value that means something", "doublebounceto", "", NULL},
    {"a second line", "bouncefrom", "a\nb\nc\n",
	"control/bouncefrom:2: a second line in a file of one"},
    {"a number", "databytes", "0\n", NULL},
    {"an empty number", "databytes", "",
	"control/databytes:1: there is no number at the start of the first "
	"line"},
    {"a negative number", "databytes", "-1\n",
	"control/databytes:1: there is no number at the start of the first "
	"line"},
    {"a number with a unit", "queuelifetime", "7d\n",
	"control/queuelifetime:1: 7d is more than a number"},
    {"a 0 that holds mail", "concurrencylocal", "00\n",
	"control/concurrencylocal:1: the number is 0"},
    {"comments and empty lines of a list", "locals", "# x y\n\na.example\n",
	NULL},
    {"the line of an entry counts all lines", "locals", "#\n\n.a.example\n",
	"control/locals:3: .a.example starts with a dot"},
    {"suffixes of rcpthosts", "rcpthosts", ".a.example\nB\n", NULL},
    {"an address in rcpthosts", "rcpthosts", "x@a.example\n",
	"control/rcpthosts:1: x@a.example is no host name"},
    {"a blank at the start", "rcpthosts", " a.example\n",
	"control/rcpthosts:1: the line starts with a blank"},
    {"a list of comments", "rcpthosts", "#\n",
	"control/rcpthosts: there is no entry"},
    {"a map of comments", "virtualdomains", "#\n", NULL},
    {"maps with all forms", "virtualdomains",
	"u@a.example:p\na.example:p-q\n.a.example:\n:p\n", NULL},
    {"a prefix with a host", "virtualdomains", "a.example:p@b.example\n",
	"control/virtualdomains:1: p@b.example is an odd user"},
    {"routes of all forms", "smtproutes",
	"a:b\na:b:26\n.a:[::1]:26\n:\na:192.0.2.1\n", NULL},
    {"a route to port 0", "smtproutes", "a:b:0\n",
	"control/smtproutes:1: b:0 is no relay"},
    {"senders", "badmailfrom", "@a.example\nx@a.example\n", NULL},
    {"a sender with a star", "badmailfrom", "*@a.example\n",
	"control/badmailfrom:1: *@a.example is neither user@host nor @host"},
    {"expressions", "badrcptto", "^a+@b\\.example$\n!@good\njoe@h\n", NULL},
    {"a server by name", "qmqpservers", "mail.example\n",
	"control/qmqpservers:1: mail.example is no IP address"},
    {"servers", "qmqpservers", "192.0.2.1 x\n192.0.2.1:99\n::1\n[::1]:9\n",
	NULL},
    {"anything is a delivery", "defaultdelivery", "|x\n&a b\n./M/\n", NULL},
    {"what a terminal obeys is not shown", "bouncehost", "a\033[2J\n",
	"control/bouncehost:1: a?[2J is no host name"},
};

static size_t
number_of(const char *name)
{
	for (size_t i = 0; i < check_text_count(); i++) {
		if (strcmp(check_text_name(i), name) == 0)
			return i;
	}
	fail_msg("%s is not known", name);
	return 0;
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct check_report report = CHECK_REPORT_INIT;
		char *end;

		check_text_judge(
		    &report, number_of(rows[i].name), span_of(rows[i].text));
		end = strchr(report.findings.s, '\n');
		if (end != NULL)
			*end = '\0';
		if (report.finding_count != (rows[i].want != NULL))
			fail_msg("%s: %zu findings, %s", rows[i].what,
			    report.finding_count, report.findings.s);
		if (rows[i].want != NULL &&
		    strcmp(report.findings.s, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].what, report.findings.s);
		check_report_free(&report);
	}
}

/* Only databases are judged elsewhere. */
static void
test_all_files_are_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < control_text_count(); i++) {
		const char *name = control_text_name(i);

		/* tcprules(1) says what is wrong with its own files */
		if (strstr(name, ".cdb") == NULL &&
		    strncmp(name, "tcp.", 4) != 0)
			(void)number_of(name);
	}
	for (size_t i = 0; i < check_text_count(); i++)
		assert_true(control_text_is_known(check_text_name(i)));
}

static void
test_a_nul_byte_is_a_finding(void **state)
{
	struct check_report report = CHECK_REPORT_INIT;

	(void)state;
	check_text_judge(&report, number_of("defaultdelivery"),
	    SPAN_LITERAL("./M/\n|a\0b\n"));
	assert_int_equal(report.finding_count, 1);
	assert_non_null(strstr(report.findings.s, "defaultdelivery:2: "));
	check_report_free(&report);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_all_files_are_known),
	    cmocka_unit_test(test_a_nul_byte_is_a_finding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
