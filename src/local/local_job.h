/*
 * local_job - what qmail-lspawn tells a qmail-local that works for it
 *
 * One packet on the socket that is the worker's descriptor 0, netstrings:
 *   "L" number user homedir local dash ext domain sender defaultdelivery
 * with the descriptor of the message. The worker answers each with one result
 * packet of net/job.h (index 0) and ends when the socket does. The fields are
 * the arguments of a one-shot qmail-local, so none holds NUL.
 */
#ifndef LOCAL_LOCAL_JOB_H
#define LOCAL_LOCAL_JOB_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

struct local_job {
	uint64_t number;
	struct span user, homedir, local, dash, ext, domain, sender,
	    default_delivery;
};

void local_job_encode(struct str *packet, const struct local_job *job);
/* 0, or -1 if the packet is not a whole job or a field holds NUL. The fields
   are borrowed from the packet. */
MUST_USE int local_job_decode(struct span packet, struct local_job *job);

#endif
