/*
 * reverse - the names that the DNS has for addresses
 * Source: RFC 1035 section 3.5, RFC 3596 section 2.5.
 *
 * Whoever runs the network of an address decides what its name is; it proves
 * nothing. The resolver waits as it likes, so it is asked by a child process,
 * which is killed when the time is over.
 */
#ifndef ACCEPT_REVERSE_H
#define ACCEPT_REVERSE_H

#include "base/attr.h"
#include "base/str.h"
#include "net/dns_answer.h"
#include "net/ip.h"

struct reverse_answer {
	enum dns_status status;
	char name[DNS_NAME_SIZE]; /* lower case; only with DNS_FOUND */
};

/* Replaces *to by the name to be asked for: "1.2.0.192.in-addr.arpa". */
void reverse_question(struct str *to, const struct ip *ip);
/*
 * Asks for count addresses, timeout_s seconds for all together. An answer that
 * is not there by then is DNS_SOFT. 0, or -1 with errno if no process can be
 * started.
 */
MUST_USE int reverse_ask(const struct ip *ips, struct reverse_answer *answers,
    size_t count, unsigned timeout_s);

#endif
