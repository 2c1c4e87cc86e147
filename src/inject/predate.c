/*
 * predate - put a Date field with the local time before a message
 * Runs as: the invoking user    Trusts: arguments, environment
 * Reads:   the message on 0     Writes: descriptor 0 of the program, a pipe
 * Exit:    the program's own code; 100 wrong usage; 111 something failed here:
 *          the program cannot be run, or a signal ended it
 */
#include "base/clock.h"
#include "base/die.h"
#include "base/str.h"
#include "inject/feeder.h"
#include "inject/local_date.h"

int
main(int argc, char **argv)
{
	struct str head = STR_INIT;
	int code;

	feeder_init("predate");
	if (argc < 2)
		die_usage("predate program [argument ...]");
	str_append_cstr(&head, "Date: ");
	local_date_append(&head, clock_now());
	str_append_char(&head, '\n');
	code = feeder_run(str_span(&head), argv[1], argv + 1);
	str_free(&head);
	return code;
}
