/*
 * Addresses, literals, ranges (the lines of moreipme and notipme), and those
 * with ports (DNSCACHEIP): what is read, written again, is read as the same.
 */
#include "../fuzz.h"

#include "net/dns.h"
#include "net/ip.h"
#include "net/outgoing.h"

static void
check_ip(const struct ip *ip)
{
	struct str text = STR_INIT, literal = STR_INIT;
	struct sockaddr_storage address;
	struct ip again;
	struct ip_range range;

	require(ip->version == 4 || ip->version == 6);
	ip_append(&text, ip);
	require(ip_parse(str_span(&text), &again) == 0);
	require(ip_is_equal(ip, &again));
	str_format(&literal, "[%s%s]", ip->version == 6 ? "IPv6:" : "", text.s);
	require(ip_parse_literal(str_span(&literal), &again) == 0);
	require(ip_is_equal(ip, &again));
	require(ip_to_sockaddr(ip, 25, &address) <= sizeof(address));
	/* each is the only one in its own range */
	require(ip_range_parse(str_span(&text), &range) == 0);
	require(ip_range_has(&range, ip));
	again.bytes[3] ^= 1;
	require(!ip_range_has(&range, &again));
	str_free(&text);
	str_free(&literal);
}

static void
check_own(struct span line, const struct ip_range *range)
{
	struct ip_own own = IP_OWN_INIT;

	require(ip_range_has(range, &range->ip));
	require(ip_own_add(&own, false, &line, 1) == 0);
	require(ip_is_own(&range->ip, &own));
	require(ip_own_add(&own, true, &line, 1) == 0);
	require(!ip_is_own(&range->ip, &own));
	ip_own_free(&own);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct outgoing outgoing = OUTGOING_INIT;
	struct ip_range range;
	struct ip ip;
	unsigned port;

	if (ip_parse(text, &ip) == 0)
		check_ip(&ip);
	if (ip_parse_literal(text, &ip) == 0) {
		check_ip(&ip);
		require(outgoing_add(&outgoing, text) == 0);
		require(ip_is_equal(
		    ip.version == 4 ? &outgoing.four : &outgoing.six, &ip));
	} else {
		require(outgoing_add(&outgoing, text) == -1);
	}
	if (dns_parse_server(text, &ip, &port) == 0) {
		check_ip(&ip);
		require(port >= 1 && port <= 65535);
	}
	if (ip_range_parse(text, &range) == 0)
		check_own(text, &range);
	return 0;
}
