/*
 * condredirect - send the message elsewhere if a program says so
 * Runs as: the caller, from a .qmail line       Trusts: arguments, environment
 * Reads:   the message on 0, from its start     Writes: run/submit.sock
 * Exit:    99 the program said yes (0), the message is queued and this
 *          delivery is over; 0 it said no; 111 it or the queue asks to try
 *          again; 100 wrong usage or environment, or the queue refused
 */
#include <unistd.h>

#include "base/die.h"
#include "base/span.h"
#include "local/delivery_env.h"
#include "local/tool.h"

enum {
	EXIT_STOP = 99, /* ends the processing of the .qmail file */
};

int
main(int argc, char **argv)
{
	char *recipients[] = {NULL, NULL};
	const char *sender, *dtline;
	int code;

	tool_init("condredirect");
	if (argc < 3)
		die_usage("condredirect newaddress program [argument ...]");
	code = tool_run(argv + 2);
	if (code == EXIT_TEMP)
		return EXIT_TEMP;
	if (code != 0)
		return EXIT_OK;
	sender = tool_env("SENDER");
	dtline = tool_env("DTLINE");
	if (lseek(0, 0, SEEK_SET) == -1)
		die_sys("fatal: cannot rewind the message");
	recipients[0] = argv[1];
	tool_forward(
	    span_of(dtline), span_of(delivery_env_plain(sender)), recipients);
	return EXIT_STOP;
}
