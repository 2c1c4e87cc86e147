/* one command line: verb, argument, SIZE */
#include <stdint.h>
#include <stdlib.h>

#include "accept/own_address.h"
#include "accept/smtp_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = {(const char *)data, size}, argument;
	uint64_t bytes = 0;

	(void)smtp_command_parse(line, &argument);
	if (argument.s < line.s || argument.s + argument.len > line.s + size ||
	    (argument.len > 0 && argument.s[0] == ' '))
		abort();
	if (smtp_command_size(argument, &bytes) == 0 && bytes != 0)
		abort();
	if (own_address_is(argument) == -1)
		abort();
	return 0;
}
