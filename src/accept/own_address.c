#include "accept/own_address.h"

#include "conf/control.h"
#include "net/ip.h"

/* As RFC 5321 writes them. 0, or -1 if domain is no literal of an address. */
static int
parse_literal(struct span domain, struct ip *ip)
{
	struct span inside;
	bool has_prefix;

	if (domain.len < 2 || domain.s[0] != '[' ||
	    ip_parse_literal(domain, ip) == -1)
		return -1;
	inside = span_from(domain, 1);
	has_prefix = span_starts_nocase(inside, "ipv6:");
	return has_prefix == (span_find(inside, ':') != SPAN_NONE) ? 0 : -1;
}

/* Adds what the file says. 0, or -1 with errno. */
static int
load_more(struct ip_own *own, const char *path, bool not_own)
{
	struct control_table lines = CONTROL_TABLE_INIT;
	int result = control_list(path, &lines);

	if (result == 1)
		result =
		    ip_own_add(own, not_own, lines.lines, lines.entry_count);
	control_table_free(&lines);
	return result == -1 ? -1 : 0;
}

int
own_address_is(struct span domain)
{
	struct ip_own own = IP_OWN_INIT;
	struct ip ip;
	int found = -1;

	if (parse_literal(domain, &ip) == -1)
		return 0;
	if (ip_own_load(&own) == 0 &&
	    load_more(&own, "control/moreipme", false) == 0 &&
	    load_more(&own, "control/notipme", true) == 0)
		found = ip_is_own(&ip, &own);
	ip_own_free(&own);
	return found;
}
