/*
 * received - the trace line that a network receiver puts on top of a message
 * Source: RFC 5321 section 4.4, in qmail's form. Pure.
 *
 *   Received: from HOST (HELO h) (info@IP)
 *     by LOCAL with PROTOCOL; DATE
 *
 * Letters, digits and ". @ % + / = : - [ ]" are kept, every other byte becomes
 * '?'. Of each part at most RECEIVED_PART_MAX bytes are shown.
 */
#ifndef MAIL_RECEIVED_H
#define MAIL_RECEIVED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/str.h"

enum {
	RECEIVED_PART_MAX = 255, /* bytes; a domain name has no more */
};

struct received {
	struct span host;  /* name of the client, "unknown" if there is none */
	struct span ip;    /* its address */
	struct span info;  /* what ident said of it; shown if has_info */
	struct span helo;  /* argument of HELO; shown if has_helo and unlike
			      host (ASCII case aside) */
	struct span local; /* our name, or our address */
	struct span protocol; /* "SMTP" */
	bool has_info, has_helo;
};

/* Appends both lines, dated when_s seconds after 1970. */
void received_append(
    struct str *to, const struct received *received, int64_t when_s);

#endif
