/* From_ lines and bang paths */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "inject/uucp.h"

#define DATE " Sun Nov 22 18:46:21 2026"

static const struct from_row {
	const char *what, *text;
	bool is_all;
	enum uucp_result result;
	const char *path, *rest;
} from_rows[] = {
    {"no line at all", "To: x\n\nFrom y\n", true, UUCP_NONE, "",
	"To: x\n\nFrom y\n"},
    {"nothing", "", true, UUCP_NONE, "", ""},
    {"one line", "From joe" DATE " remote from gate\nTo: x\n", true, UUCP_FOUND,
	"gate!joe", "To: x\n"},
    {"no host", "From joe" DATE "\nTo: x\n", true, UUCP_FOUND, "joe",
	"To: x\n"},
    {"hosts nearest first, the user of the last line",
	"From uucp" DATE " remote from near\n>From joe" DATE
	" remote from far\nTo: x\n",
	true, UUCP_FOUND, "near!far!joe", "To: x\n"},
    {"a path in the line", "From a!b!joe" DATE " remote from near\nx", true,
	UUCP_FOUND, "near!a!b!joe", "x"},
    {"remote from without a host", "From joe" DATE " remote from \nx", true,
	UUCP_FOUND, "joe", "x"},
    {"the last remote from counts", "From joe remote from a remote from b\nx",
	true, UUCP_FOUND, "b!joe", "x"},
    {"only a user", "From joe\nx", true, UUCP_FOUND, "joe", "x"},
    {"only a user, at the end", "From joe", true, UUCP_FOUND, "joe", ""},
    {"a line that goes on", "From joe remote fr", false, UUCP_NONE, "",
	"From joe remote fr"},
    {"the first is whole, the second goes on", "From joe\n>From x", false,
	UUCP_FOUND, "joe", ">From x"},
    {"no user", "From \nx", true, UUCP_WRONG, NULL, NULL},
    {"a space for the user", "From  joe\nx", true, UUCP_WRONG, NULL, NULL},
    {"From without a space", "From: joe\nx", true, UUCP_NONE, "",
	"From: joe\nx"},
    {"two quotes are none", ">>From joe\nx", true, UUCP_NONE, "",
	">>From joe\nx"},
    {"CR ends host and user", "From joe\tx remote from h\r\nx", true,
	UUCP_FOUND, "h!joe", "x"},
};

static void
from_lines(void **state)
{
	struct str path = STR_INIT;
	size_t used;

	(void)state;
	for (size_t i = 0; i < COUNT(from_rows); i++) {
		const struct from_row *row = &from_rows[i];

		print_message("%s\n", row->what);
		assert_int_equal(uucp_take_from(span_of(row->text), row->is_all,
				     &path, &used),
		    row->result);
		if (row->path == NULL)
			continue;
		assert_string_equal(path.s, row->path);
		assert_string_equal(row->text + used, row->rest);
	}
	assert_int_equal(
	    uucp_take_from(SPAN_LITERAL("From a\0b\nx"), true, &path, &used),
	    UUCP_WRONG);
	str_free(&path);
}

static const struct address_row {
	const char *what, *path, *recipient, *sender;
} address_rows[] = {
    {"a user", "joe", "joe", "joe"},
    {"one host", "gate!joe", "joe@gate", "joe@gate"},
    {"two hosts", "a!b!joe", "b!joe@a", "b!joe@a"},
    {"an address", "joe@x.org", "joe@x.org", "joe@x.org"},
    {"an address behind hosts", "a!joe@x.org", "a!joe@x.org", "joe@x.org"},
    {"no first host", "!joe", "!joe", "!joe"},
    {"no user", "gate!", "@gate", "@gate"},
    {"nothing", "", "", ""},
    {"the null sender", "<>", "<>", ""},
    {"the null sender of a host", "gate!<>", "<>@gate", ""},
    {"a bounce", "a!b!Mailer-Daemon", "b!Mailer-Daemon@a", ""},
};

static void
addresses(void **state)
{
	struct str to = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(address_rows); i++) {
		const struct address_row *row = &address_rows[i];

		print_message("%s\n", row->what);
		str_clear(&to);
		uucp_append_address(&to, span_of(row->path), false);
		assert_string_equal(to.s, row->recipient);
		str_clear(&to);
		uucp_append_address(&to, span_of(row->path), true);
		assert_string_equal(to.s, row->sender);
	}
	str_free(&to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(from_lines),
	    cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
