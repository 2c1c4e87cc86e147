/*
 * bouncesaying - refuse the message with a text, if a program says so
 * Runs as: the caller, from a .qmail line       Trusts: its arguments
 * Reads:   nothing itself                       Writes: the text, on 2
 * Exit:    100 refused: no program, or it said yes (0); 111 it asks to try
 *          again; 0 it said no
 */
#include "base/die.h"
#include "base/fd.h"
#include "base/span.h"
#include "base/str.h"
#include "local/tool.h"

int
main(int argc, char **argv)
{
	struct str text = STR_INIT;
	int code;

	tool_init("bouncesaying");
	if (argc < 2)
		die_usage("bouncesaying text [program [argument ...]]");
	if (argc > 2) {
		code = tool_run(argv + 2);
		if (code == EXIT_TEMP)
			return EXIT_TEMP;
		if (code != 0)
			return EXIT_OK;
	}
	str_append_cstr(&text, argv[1]);
	str_append_char(&text, '\n');
	if (fd_write_all(2, text.s, text.len) == -1) {
		/* without its text it is a refusal all the same */
	}
	str_free(&text);
	return EXIT_PERM;
}
