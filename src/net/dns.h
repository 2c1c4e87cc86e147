/*
 * dns - asks the resolver for MX, PTR, A and AAAA records
 *
 * Uses libc's resolver for the transport (UDP, then TCP if the answer was cut;
 * answers up to 64 KiB) and dns_answer for the content. Search lists are not
 * used, ANY is never asked. With DNSCACHEIP set in the environment that
 * resolver alone is asked: an IPv4 or IPv6 address, or "IPv4:port",
 * "[IPv6]:port". One at a time in a process.
 *
 * libc waits over UDP as resolv.conf says, but over TCP without an end: so
 * each question sets alarm(2), and SIGALRM, left at its default, ends the
 * process after DNS_TIME_MAX_S seconds.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>

#include "base/attr.h"
#include "net/dns_answer.h"

enum {
	DNS_TIME_MAX_S = 240, /* one question, all servers and repetitions */
};

struct dns; /* one resolver */

/*
 * Returns a resolver, or NULL with errno: EINVAL if DNSCACHEIP makes no sense.
 * dns_close releases it; it takes NULL.
 */
MUST_USE struct dns *dns_open(void);
/* True if no resolver can be had in this process any more. */
bool dns_is_lost(void);
void dns_close(struct dns *dns);

/* Asks for name and type. A name that cannot exist is DNS_NO_NAME. Replaces
 *records; the caller frees them. */
MUST_USE enum dns_status dns_ask(struct dns *dns, struct span name,
    unsigned type, struct dns_records *records);

/* Reads the value of DNSCACHEIP; port becomes 53 if it has none. 0, or -1. */
MUST_USE int dns_parse_server(struct span text, struct ip *ip, unsigned *port);

#endif
