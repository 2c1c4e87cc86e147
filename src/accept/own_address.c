/* getifaddrs: outside POSIX, on every Unix; wanted only here */
#define _GNU_SOURCE 1
#include "accept/own_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct literal {
	int family; /* AF_INET or AF_INET6 */
	unsigned char bytes[16];
};

/* Returns 0, or -1 if domain is no literal of an address. */
static int
parse_literal(struct span domain, struct literal *literal)
{
	char text[INET6_ADDRSTRLEN];
	struct span inside;

	if (domain.len < 2 || domain.s[0] != '[' ||
	    domain.s[domain.len - 1] != ']')
		return -1;
	inside = span_from(span_until(domain, domain.len - 1), 1);
	literal->family = AF_INET;
	if (span_starts_nocase(inside, "ipv6:")) {
		literal->family = AF_INET6;
		inside = span_from(inside, strlen("ipv6:"));
	}
	if (inside.len >= sizeof(text) || span_find(inside, '\0') != SPAN_NONE)
		return -1;
	memcpy(text, inside.s, inside.len);
	text[inside.len] = '\0';
	return inet_pton(literal->family, text, literal->bytes) == 1 ? 0 : -1;
}

static bool
is_address(const struct sockaddr *address, const struct literal *literal)
{
	if (address == NULL || address->sa_family != literal->family)
		return false;
	if (literal->family == AF_INET) {
		struct sockaddr_in four;

		memcpy(&four, address, sizeof(four));
		return memcmp(&four.sin_addr, literal->bytes, 4) == 0;
	} else {
		struct sockaddr_in6 six;

		memcpy(&six, address, sizeof(six));
		return memcmp(&six.sin6_addr, literal->bytes, 16) == 0;
	}
}

int
own_address_is(struct span domain)
{
	struct ifaddrs *list = NULL;
	struct literal literal;
	int found = 0;

	if (parse_literal(domain, &literal) == -1)
		return 0;
	if (getifaddrs(&list) == -1)
		return -1;
	for (const struct ifaddrs *at = list; at != NULL && !found;
	     at = at->ifa_next)
		found = is_address(at->ifa_addr, &literal);
	freeifaddrs(list);
	return found;
}
