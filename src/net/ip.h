/*
 * ip - IPv4 and IPv6 addresses as values; which of them are this machine's
 *
 * No ports, no names. IPv4 addresses mapped into IPv6 count as IPv4.
 */
#ifndef NET_IP_H
#define NET_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

struct ip {
	unsigned char version;   /* 4 or 6; 0: none */
	unsigned char bytes[16]; /* network order; IPv4 uses the first four */
};

enum {
	IP_OWN_MAX = 1024, /* own addresses remembered; more are ignored */
};

/* Addresses that agree with ip in the bits of mask. */
struct ip_range {
	struct ip ip;
	unsigned char mask[16];
};

/* The addresses of this machine's interfaces, and what an administrator has
   said about others. */
struct ip_own {
	struct ip *ips;
	size_t count;
	struct ip_range *ranges; /* the first more_count are ours too, the
				    others, which win, never */
	size_t more_count, range_count;
};

#define IP_OWN_INIT                                                            \
	{                                                                      \
		NULL, 0, NULL, 0, 0                                            \
	}

/* Reads "192.0.2.1" or "2001:db8::1", all of text. 0, or -1. */
MUST_USE int ip_parse(struct span text, struct ip *ip);
/* The same, also within brackets: "[192.0.2.1]", "[2001:db8::1]", and RFC 5321
   "[IPv6:2001:db8::1]". 0, or -1. */
MUST_USE int ip_parse_literal(struct span text, struct ip *ip);
/* version 4 or 6, bytes in network order; ::ffff:a.b.c.d becomes a.b.c.d. */
struct ip ip_from_bytes(unsigned version, const unsigned char *bytes);
void ip_append(struct str *to, const struct ip *ip);
bool ip_is_equal(const struct ip *a, const struct ip *b);

/* Fills *address for connect and bind; returns its length. */
socklen_t ip_to_sockaddr(
    const struct ip *ip, unsigned port, struct sockaddr_storage *address);

/* Reads "ip", "ip/bits" or "ip/mask", the mask written as an address. 0, or
   -1. */
MUST_USE int ip_range_parse(struct span text, struct ip_range *range);
bool ip_range_has(const struct ip_range *range, const struct ip *ip);

/* Asks the system. 0, or -1 with errno. ip_own_free releases the list. */
MUST_USE int ip_own_load(struct ip_own *own);
void ip_own_free(struct ip_own *own);
/*
 * Takes lines of control/moreipme, or (not_own) of control/notipme; all of the
 * first before the second. 0, or -1 with errno, EINVAL if one is no range.
 */
MUST_USE int ip_own_add(
    struct ip_own *own, bool not_own, const struct span *lines, size_t count);
/* True for own addresses, and for 0.0.0.0/8, 127.0.0.0/8, :: and ::1, unless a
   range says that they are not. */
bool ip_is_own(const struct ip *ip, const struct ip_own *own);

#endif
