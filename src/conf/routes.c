#include "conf/routes.h"

#include <stdint.h>
#include <string.h>

#include "base/num.h"

/* ":port" or nothing; signs: what may be there for the colon. 0, or -1. */
static int
parse_port(struct span text, const char *signs, unsigned *port)
{
	uint64_t number;

	if (text.len == 0)
		return 0;
	if (text.s[0] == '\0' || strchr(signs, text.s[0]) == NULL)
		return -1;
	text = span_from(text, 1);
	if (text.len == 0)
		return 0;
	if (num_parse_u64(text, &number) == -1 || number < 1 || number > 65535)
		return -1;
	*port = (unsigned)number;
	return 0;
}

static int
parse(struct span value, const char *signs, unsigned port, struct route *route)
{
	struct route found = {.port = port};
	size_t end;

	if (value.len > 0 && value.s[0] == '[') {
		end = span_find(value, ']');
		if (end == SPAN_NONE)
			return -1;
		end++;
	} else {
		for (end = 0; end < value.len; end++) {
			if (value.s[end] != '\0' &&
			    strchr(signs, value.s[end]) != NULL)
				break;
		}
	}
	found.relay = span_until(value, end);
	for (size_t i = 0; i < end; i++) {
		/* names, addresses and brackets have none of these; the bar
		   is how others write a password, which must not be ignored */
		if ((unsigned char)value.s[i] <= ' ' || value.s[i] == '|')
			return -1;
	}
	if (parse_port(span_from(value, end), signs, &found.port) == -1)
		return -1;
	*route = found;
	return 0;
}

int
route_parse(struct span value, struct route *route)
{
	return parse(value, ":", ROUTES_PORT, route);
}

int
route_parse_qmtp(struct span value, struct route *route)
{
	struct route found;

	/* A plain text to the port of TLS would at best be refused. */
	if (parse(value, ":;", ROUTES_QMTP_PORT, &found) == -1 ||
	    found.port == ROUTES_QMTPS_PORT)
		return -1;
	*route = found;
	return 0;
}

int
route_find(
    const struct control_table *table, struct span domain, struct route *route)
{
	struct span value;

	*route = (struct route){{"", 0}, ROUTES_PORT};
	if (!control_find_domain(table, domain, true, &value))
		return 0;
	return route_parse(value, route);
}

int
route_find_qmtp(
    const struct control_table *table, struct span domain, struct route *route)
{
	struct span value;

	if (!control_find_domain(table, domain, true, &value))
		return 0;
	if (route_parse_qmtp(value, route) == -1)
		return -1;
	return route->relay.len > 0;
}
