/*
 * datemail - send a message through sendmail, dated with the local time
 * Runs as: the invoking user    Trusts: arguments, environment
 * Reads:   the message on 0     Writes: descriptor 0 of sendmail, a pipe
 * Exit:    111 something failed here: sendmail cannot be run, or a signal ended
 *          it; else what bin/sendmail of the home exits with
 */
#include "base/clock.h"
#include "base/str.h"
#include "inject/feeder.h"
#include "inject/local_date.h"

int
main(int argc, char **argv)
{
	static char name[] = "sendmail";
	static char *alone[] = {name, NULL};
	struct str head = STR_INIT, path = STR_INIT;
	int code;

	feeder_init("datemail");
	feeder_append_path(&path, name);
	str_append_cstr(&head, "Date: ");
	local_date_append(&head, clock_now());
	str_append_char(&head, '\n');
	if (argc > 0)
		argv[0] = name; /* it goes by its name */
	code = feeder_run(str_span(&head), path.s, argc > 0 ? argv : alone);
	str_free(&head);
	str_free(&path);
	return code;
}
