#include "net/outgoing.h"

#include <string.h>

#include "net/connect.h"

int
outgoing_add(struct outgoing *outgoing, struct span line)
{
	struct ip ip, *place;

	if (ip_parse_literal(line, &ip) == -1)
		return -1;
	place = ip.version == 4 ? &outgoing->four : &outgoing->six;
	if (place->version == 0)
		*place = ip;
	return 0;
}

int
outgoing_connect(const struct outgoing *outgoing, const struct ip *ip,
    unsigned port, unsigned timeout_s)
{
	static const unsigned char any[16];
	const struct ip *from =
	    ip->version == 4 ? &outgoing->four : &outgoing->six;

	if (from->version == 0 || memcmp(from->bytes, any, sizeof(any)) == 0)
		return connect_tcp(ip, port, timeout_s);
	return connect_tcp_from(from, ip, port, timeout_s);
}
