/*
 * mx - which addresses take the mail for a host, in the order to try them
 * Source: RFC 5321 section 5.1, RFC 7505 (null MX); D. J. Bernstein, "Mail
 *         Exchanger Protocol Switch" (MXPS).
 *
 * Mail exchangers by preference, at random within one preference; of each its
 * IPv6 and IPv4 addresses in turn, IPv6 first if there is a route. If one of
 * them is this machine, it and all that are no better than it are left out,
 * so that mail never goes round in circles. An answer of any size is fine:
 * at most the limits below are looked at.
 */
#ifndef REMOTE_MX_H
#define REMOTE_MX_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "net/dns_answer.h"
#include "net/ip.h"

enum {
	MX_TARGETS_MAX = 40,  /* addresses in all */
	MX_HOSTS_MAX = 30,    /* exchangers whose addresses are asked for */
	MX_PER_HOST_MAX = 12, /* addresses used of one exchanger */
	MX_SEARCH_S = 120,    /* then no more exchangers are asked for */
};

enum mx_status {
	MX_FOUND = 0,
	MX_NO_HOST,    /* neither MX nor address: no such host */
	MX_NO_ADDRESS, /* exchangers, but none has an address */
	MX_IS_ME,      /* the best exchanger is this machine */
	MX_NULL,       /* the host says that it takes no mail */
	MX_SOFT,       /* the name system did not answer: try later */
};

struct mx_target {
	struct ip ip;
	unsigned preference;
};

struct mx_targets {
	struct mx_target list[MX_TARGETS_MAX];
	size_t count;
};

/* How names are asked for, and what is known of this machine; tests bring
   their own. */
struct mx_source {
	enum dns_status (*ask)(void *context, struct span name, unsigned type,
	    struct dns_records *records);
	void *context;
	const struct ip_own *own;
	bool (*has_route)(const struct ip *ip);
	unsigned seed; /* of the order within a preference */
};

/* The addresses for host: by MX, or itself if it is an IP address, bare or in
   brackets. Fills *targets. */
MUST_USE enum mx_status mx_find(const struct mx_source *source,
    struct span host, struct mx_targets *targets);
/* The same for a relay that was named by hand: no MX, and it may be this
   machine. */
MUST_USE enum mx_status mx_find_relay(const struct mx_source *source,
    struct span relay, struct mx_targets *targets);

/*
 * True if an exchanger with this preference says by it that it speaks QMTP: of
 * 12800 to 13055 each sixteen in a row are one rank, of which the first number
 * stands for SMTP and the second for QMTP.
 */
bool mx_is_qmtp(unsigned preference);

/* Sorts by preference, at random within one. Exposed for tests. */
void mx_sort(struct dns_records *records, unsigned seed);

#endif
