/* lines of control/qmqpservers: a server has an address and a port, or is none
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inject/qmqp_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qmqp_server server = {.port = 0};
	char *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	if (qmqp_server_parse((struct span){copy, size}, &server) == 0) {
		if (server.port == 0 || server.port > 65535)
			abort();
		if (server.ip.version != 4 && server.ip.version != 6)
			abort();
	}
	free(copy);
	return 0;
}
