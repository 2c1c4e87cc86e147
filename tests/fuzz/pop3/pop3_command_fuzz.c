/* one command line and the numbers in it */
#include <stdint.h>
#include <stdlib.h>

#include "pop3/pop3_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = {(const char *)data, size}, argument;
	uint64_t number;

	(void)pop3_command_parse(line, &argument);
	if (argument.s < line.s || argument.s + argument.len > line.s + size ||
	    (argument.len > 0 && argument.s[0] == ' '))
		abort();
	while (pop3_command_number(&argument, &number)) {
		if (argument.s + argument.len > line.s + size)
			abort();
	}
	return 0;
}
