/* inject_message and inject_settings: many headers in one process, no leaks */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inject/inject_message.h"
#include "inject/inject_settings.h"

static struct inject_settings settings;

static const struct {
	const char *what, *header, *recipients, *sender, *fields;
} rows[] = {
    {"recipients in the order of the fields, each from right to left",
	"To: a, b\nCc: c@d.e\n", "b@h.x a@h.x c@d.e ", NULL,
	"To: a@h.x, b@h.x\nCc: c@d.e\n"},
    {"Bcc is used and removed", "Bcc: a\nX: y\n", "a@h.x ", NULL, "X: y\n"},
    {"Resent fields replace the others", "To: a\nResent-To: b\n", "b@h.x ",
	NULL, "To: a@h.x\nResent-To: b@h.x\n"},
    {"one that names nobody too", "To: a\nResent-Date: x\n", "", NULL,
	"To: a@h.x\nResent-Date: x\n"},
    {"Return-Path names the sender", "Return-Path: <s>\n", "", "s@h.x", ""},
    {"the first one", "Return-Path: a\nReturn-Path: b\n", "", "a@h.x", ""},
    {"of several the rightmost", "Return-Path: a, b\n", "", "b@h.x", ""},
    {"one without an address does not count", "Return-Path:\nReturn-Path: b\n",
	"", "b@h.x", ""},
    {"an empty one is the null sender", "Return-Path: <>\n", "", "", ""},
    {"a recipient field with a fault stays as it is", "To: a; b, (x\n", "",
	NULL, "To: a; b, (x\n"},
    {"a removed field with a fault is removed", "Bcc: a; b\nX: y\n",
	"b@h.x a@h.x ", NULL, "X: y\n"},
    {"Content-Length goes", "Content-Length: 9\n", "", NULL, ""},
    {"other fields keep every byte", "X : a ,b\n\tc\n", "", NULL,
	"X : a ,b\n\tc\n"},
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct inject_message message = INJECT_MESSAGE_INIT;
		const struct address_list *list;
		struct str recipients = STR_INIT, out = STR_INIT;
		struct span fault;

		assert_int_equal(inject_message_read(&message, &settings,
				     span_of(rows[i].header), &fault),
		    0);
		list = inject_message_recipients(&message);
		for (size_t j = 0; j < list->count; j++) {
			str_append_span(&recipients, address_list_get(list, j));
			str_append_char(&recipients, ' ');
		}
		if (strcmp(recipients.s, rows[i].recipients) != 0 ||
		    strcmp(message.fields.s, rows[i].fields) != 0 ||
		    message.has_sender != (rows[i].sender != NULL) ||
		    (message.has_sender &&
			strcmp(message.sender.s, rows[i].sender) != 0))
			fail_msg("%s: [%s] [%s] [%s]", rows[i].what,
			    recipients.s, message.fields.s, message.sender.s);
		inject_message_append(&out, &message, &settings);
		assert_true(out.len > message.fields.len);
		assert_string_equal(
		    out.s + out.len - message.fields.len, message.fields.s);
		str_free(&out);
		str_free(&recipients);
		inject_message_free(&message);
	}
}

static void
test_fault_names_the_field(void **state)
{
	struct inject_message message = INJECT_MESSAGE_INIT;
	struct span fault;

	(void)state;
	assert_int_equal(
	    inject_message_read(&message, &settings,
		SPAN_LITERAL("To: (x\nFrom: a,\n <b\nX: y\n"), &fault),
	    -1);
	assert_true(span_is(fault, "From: a,\n <b\n"));
	inject_message_free(&message);
}

static void
test_id_and_author(void **state)
{
	struct str out = STR_INIT;

	(void)state;
	settings.now_s = 1795373181;
	settings.pid = 77;
	inject_settings_append_id(&out, &settings);
	assert_string_equal(out.s, "20261122184621.77.qmail@id.x");
	str_clear(&out);
	inject_settings_append_from(&out, &settings, "From");
	assert_string_equal(out.s, "From: \"N \\\"N\" <u@h.x>");
	str_clear(&out);
	inject_settings_append_sender(&out, &settings);
	assert_string_equal(out.s, "u@h.x");
	settings.verp_message = settings.verp_recipient = true;
	str_clear(&out);
	inject_settings_append_sender(&out, &settings);
	assert_string_equal(out.s, "u-1795373181.77-@h.x-@[]");
	str_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_fault_names_the_field),
	    cmocka_unit_test(test_id_and_author),
	};
	static const char *const values[][2] = {
	    {"QMAILHOME", "/"},
	    {"QMAILDEFAULTHOST", "h"},
	    {"QMAILDEFAULTDOMAIN", "x"},
	    {"QMAILPLUSDOMAIN", "p"},
	    {"QMAILIDHOST", "id.x"},
	    {"QMAILUSER", "u"},
	    {"QMAILNAME", "N \"N"},
	};
	static const char *const others[] = {"QMAILHOST", "MAILHOST",
	    "QMAILSUSER", "QMAILSHOST", "QMAILINJECT", "QMAILMFTFILE"};
	int failed;

	for (size_t i = 0; i < COUNT(values); i++) {
		if (setenv(values[i][0], values[i][1], 1) == -1)
			return 1;
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		if (unsetenv(others[i]) == -1)
			return 1;
	}
	inject_settings_load(&settings);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	inject_settings_free(&settings);
	return failed;
}
