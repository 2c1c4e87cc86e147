/* routes: the value of a line of control/smtproutes or control/qmtproutes */
#include <assert.h>

#include "conf/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span value = {(const char *)data, size};
	struct route route;

	if (route_parse(value, &route) == 0) {
		assert(route.port >= 1 && route.port <= 65535);
		assert(route.relay.len <= size);
		assert(span_find(route.relay, '\n') == SPAN_NONE);
	}
	if (route_parse_qmtp(value, &route) == 0) {
		assert(route.port >= 1 && route.port <= 65535);
		assert(route.port != ROUTES_QMTPS_PORT);
		assert(span_find(route.relay, ';') == SPAN_NONE ||
		    route.relay.s[0] == '[');
	}
	return 0;
}
