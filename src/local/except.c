/*
 * except - turn the answer of a program round
 * Runs as: the caller, from a .qmail line       Trusts: its arguments
 * Reads:   nothing itself                       Writes: nothing
 * Exit:    100 the program said yes (0); 111 it asks to try again; 0 it said
 *          no. 100 as well without a program
 */
#include "base/die.h"
#include "local/tool.h"

int
main(int argc, char **argv)
{
	int code;

	tool_init("except");
	if (argc < 2)
		die_usage("except program [argument ...]");
	code = tool_run(argv + 1);
	if (code == EXIT_TEMP)
		return EXIT_TEMP;
	return code == 0 ? EXIT_PERM : EXIT_OK;
}
