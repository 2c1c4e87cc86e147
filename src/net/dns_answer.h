/*
 * dns_answer - what an answer of the domain name system says
 * Source: RFC 1035 section 4, RFC 3596 (AAAA), RFC 7505 (null MX). Pure.
 *
 * The bytes come from the network: every length is checked, compression
 * pointers may only point back, aliases are followed within the answer and
 * DNS_CNAME_MAX times at most, and only records of the name asked for count.
 */
#ifndef NET_DNS_ANSWER_H
#define NET_DNS_ANSWER_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "net/ip.h"

enum {
	DNS_NAME_SIZE = 256,    /* a name in text, lower case, with its NUL */
	DNS_ANSWER_MAX = 65535, /* bytes of an answer */
	DNS_CNAME_MAX = 12,     /* aliases in a row */
	DNS_RECORDS_MAX = 5000, /* kept of one answer; no answer has more */
	DNS_TYPE_A = 1,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_MX = 15,
	DNS_TYPE_AAAA = 28,
};

enum dns_status {
	DNS_FOUND = 0,   /* at least one record */
	DNS_NO_DATA = 1, /* the name exists, without such a record */
	DNS_NO_NAME = 2, /* the name does not exist */
	DNS_SOFT = -1,   /* no answer, or one that cannot be trusted: later */
};

/*
 * One record. name is the exchange of an MX or the target of a PTR, without a
 * final dot, "" for the root; bytes that no host name has appear as '?'.
 */
struct dns_record {
	unsigned preference;
	char name[DNS_NAME_SIZE];
	struct ip ip;
};

struct dns_records {
	struct dns_record *list; /* free with dns_records_free */
	size_t count;
};

#define DNS_RECORDS_INIT                                                       \
	{                                                                      \
		NULL, 0                                                        \
	}

/* True if name can be asked for: labels of letters, digits, '-', '_' and '/',
   at most 63 bytes each, 253 in all; one final dot is allowed. */
bool dns_is_name(struct span name);

/*
 * Reads the answer to a question about name (dns_is_name) and type (MX, PTR, A
 * or AAAA). Replaces *records; it is empty unless DNS_FOUND is returned.
 */
MUST_USE enum dns_status dns_answer_read(struct span answer, struct span name,
    unsigned type, struct dns_records *records);
void dns_records_free(struct dns_records *records);

#endif
