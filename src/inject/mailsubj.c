/*
 * mailsubj - send a message with a subject and recipients
 * Runs as: the invoking user    Trusts: arguments, environment
 * Reads:   the body on 0        Writes: descriptor 0 of qmail-inject, a pipe
 * Exit:    100 wrong usage; 111 something failed here: qmail-inject cannot be
 *          run, or a signal ended it; else what bin/qmail-inject exits with
 */
#include "base/die.h"
#include "base/str.h"
#include "inject/feeder.h"

/* A line end would start a field of its own, or the body: it becomes a space.
   Scripts pass on subjects that others chose. */
static void
append_in_line(struct str *to, const char *text)
{
	for (; *text != '\0'; text++)
		str_append_char(
		    to, *text == '\n' || *text == '\r' ? ' ' : *text);
}

int
main(int argc, char **argv)
{
	static char name[] = "qmail-inject";
	char *args[] = {name, NULL};
	struct str head = STR_INIT, path = STR_INIT;
	int code;

	feeder_init("mailsubj");
	if (argc < 3)
		die_usage("mailsubj subject recipient ...");
	str_append_cstr(&head, "Subject: ");
	append_in_line(&head, argv[1]);
	str_append_cstr(&head, "\nTo:");
	for (int i = 2; i < argc; i++) {
		str_append_char(&head, ' ');
		append_in_line(&head, argv[i]);
	}
	str_append_cstr(&head, "\n\n");
	feeder_append_path(&path, name);
	code = feeder_run(str_span(&head), path.s, args);
	str_free(&head);
	str_free(&path);
	return code;
}
