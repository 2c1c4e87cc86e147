/* getifaddrs is outside POSIX, but on every system this is built for */
#define _DEFAULT_SOURCE 1
#include "net/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

static const unsigned char mapped_prefix[12] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct ip
ip_from_bytes(unsigned version, const unsigned char *bytes)
{
	struct ip ip = {0};

	if (version == 6 &&
	    memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		version = 4;
		bytes += sizeof(mapped_prefix);
	}
	ip.version = (unsigned char)version;
	memcpy(ip.bytes, bytes, version == 4 ? 4 : 16);
	return ip;
}

int
ip_parse(struct span text, struct ip *ip)
{
	char cstr[INET6_ADDRSTRLEN + 1];
	unsigned char bytes[16];

	/* the system's parser wants a terminator, and must not see a NUL */
	if (text.len >= sizeof(cstr) || span_find(text, '\0') != SPAN_NONE)
		return -1;
	memcpy(cstr, text.s, text.len);
	cstr[text.len] = '\0';
	if (inet_pton(AF_INET, cstr, bytes) == 1)
		*ip = ip_from_bytes(4, bytes);
	else if (inet_pton(AF_INET6, cstr, bytes) == 1)
		*ip = ip_from_bytes(6, bytes);
	else
		return -1;
	return 0;
}

int
ip_parse_literal(struct span text, struct ip *ip)
{
	if (text.len < 2 || text.s[0] != '[')
		return ip_parse(text, ip);
	if (text.s[text.len - 1] != ']')
		return -1;
	text = span_until(span_from(text, 1), text.len - 2);
	if (!span_starts_nocase(text, "IPv6:"))
		return ip_parse(text, ip);
	text = span_from(text, 5);
	/* "[IPv6:192.0.2.1]" is not a literal of RFC 5321 */
	return span_find(text, ':') == SPAN_NONE ? -1 : ip_parse(text, ip);
}

void
ip_append(struct str *to, const struct ip *ip)
{
	char text[INET6_ADDRSTRLEN];
	int family = ip->version == 4 ? AF_INET : AF_INET6;

	if (inet_ntop(family, ip->bytes, text, sizeof(text)) != NULL)
		str_append_cstr(to, text);
}

bool
ip_is_equal(const struct ip *a, const struct ip *b)
{
	return a->version == b->version &&
	    memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

socklen_t
ip_to_sockaddr(
    const struct ip *ip, unsigned port, struct sockaddr_storage *address)
{
	memset(address, 0, sizeof(*address));
	if (ip->version == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)address;

		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		memcpy(&in->sin_addr, ip->bytes, 4);
		return sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		memcpy(&in6->sin6_addr, ip->bytes, 16);
		return sizeof(*in6);
	}
}

/* The address of an interface; false if it is of another family. */
static bool
take_interface(const struct sockaddr *address, struct ip *ip)
{
	const void *any = address;

	if (address == NULL)
		return false;
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = any;

		*ip = ip_from_bytes(4, (const unsigned char *)&in->sin_addr);
		return true;
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = any;

		*ip = ip_from_bytes(6, in6->sin6_addr.s6_addr);
		return true;
	}
	return false;
}

int
ip_own_load(struct ip_own *own)
{
	struct ifaddrs *all;

	*own = (struct ip_own)IP_OWN_INIT;
	if (getifaddrs(&all) == -1)
		return -1;
	own->ips = mem_try_alloc(IP_OWN_MAX, sizeof(*own->ips));
	for (struct ifaddrs *one = all; own->ips != NULL && one != NULL;
	     one = one->ifa_next) {
		if (own->count < IP_OWN_MAX &&
		    take_interface(one->ifa_addr, &own->ips[own->count]))
			own->count++;
	}
	freeifaddrs(all);
	if (own->ips == NULL) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

/* Sets the first bits of mask. 0, or -1 if there are not so many. */
static int
set_bits(struct ip_range *range, uint64_t bits)
{
	if (bits > (range->ip.version == 4 ? 32 : 128))
		return -1;
	for (size_t i = 0; i < bits; i++)
		range->mask[i / 8] |= (unsigned char)(0x80 >> i % 8);
	return 0;
}

int
ip_range_parse(struct span text, struct ip_range *range)
{
	size_t slash = span_find(text, '/');
	struct span rest;
	struct ip mask;
	uint64_t bits;

	*range = (struct ip_range){.ip = {0}};
	if (ip_parse_literal(
		slash == SPAN_NONE ? text : span_until(text, slash),
		&range->ip) == -1)
		return -1;
	if (slash == SPAN_NONE)
		return set_bits(range, range->ip.version == 4 ? 32 : 128);
	rest = span_from(text, slash + 1);
	if (num_parse_u64(rest, &bits) == 0)
		return set_bits(range, bits);
	if (ip_parse(rest, &mask) == -1 || mask.version != range->ip.version)
		return -1;
	memcpy(range->mask, mask.bytes, sizeof(range->mask));
	return 0;
}

bool
ip_range_has(const struct ip_range *range, const struct ip *ip)
{
	if (ip->version != range->ip.version)
		return false;
	for (size_t i = 0; i < sizeof(range->mask); i++) {
		if ((ip->bytes[i] ^ range->ip.bytes[i]) & range->mask[i])
			return false;
	}
	return true;
}

int
ip_own_add(
    struct ip_own *own, bool not_own, const struct span *lines, size_t count)
{
	struct ip_range *ranges;

	if (count == 0)
		return 0;
	ranges = mem_try_resize(
	    own->ranges, own->range_count + count, sizeof(*ranges));
	if (ranges == NULL)
		return -1;
	own->ranges = ranges;
	for (size_t i = 0; i < count; i++) {
		if (ip_range_parse(lines[i], &ranges[own->range_count]) == -1) {
			errno = EINVAL;
			return -1;
		}
		own->range_count++;
		own->more_count += !not_own;
	}
	return 0;
}

void
ip_own_free(struct ip_own *own)
{
	free(own->ips);
	free(own->ranges);
	*own = (struct ip_own)IP_OWN_INIT;
}

static bool
is_in_ranges(const struct ip *ip, const struct ip_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ip_range_has(&ranges[i], ip))
			return true;
	}
	return false;
}

bool
ip_is_own(const struct ip *ip, const struct ip_own *own)
{
	static const unsigned char zero[16];

	if (own->range_count > own->more_count &&
	    is_in_ranges(ip, own->ranges + own->more_count,
		own->range_count - own->more_count))
		return false;
	if (ip->version == 4 && (ip->bytes[0] == 0 || ip->bytes[0] == 127))
		return true;
	if (ip->version == 6 && memcmp(ip->bytes, zero, 15) == 0 &&
	    ip->bytes[15] <= 1)
		return true;
	for (size_t i = 0; i < own->count; i++) {
		if (ip_is_equal(ip, &own->ips[i]))
			return true;
	}
	return is_in_ranges(ip, own->ranges, own->more_count);
}
