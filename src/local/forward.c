/*
 * forward - send the message on to other addresses
 * Runs as: the caller, from a .qmail line       Trusts: its environment
 * Reads:   the message on 0, from where it is   Writes: run/submit.sock
 * Exit:    0 queued; 100 refused for good, or NEWSENDER or DTLINE is not set;
 *          111 try again later
 */
#include "base/span.h"
#include "local/delivery_env.h"
#include "local/tool.h"

int
main(int argc, char **argv)
{
	const char *sender, *dtline;

	tool_init("forward");
	sender = tool_env("NEWSENDER");
	dtline = tool_env("DTLINE");
	tool_forward(span_of(dtline), span_of(delivery_env_plain(sender)),
	    argc > 0 ? argv + 1 : argv);
	return 0;
}
