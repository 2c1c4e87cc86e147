/*
 * forward_deliver - sends a message on to other addresses, through the queue
 */
#ifndef LOCAL_FORWARD_DELIVER_H
#define LOCAL_FORWARD_DELIVER_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "local/message.h"
#include "local/report.h"

struct forward {
	struct span head, sender; /* head: the lines before the message */
	const struct span *recipients;
	size_t recipient_count;
};

/* One submission for all recipients. Returns EXIT_OK and *qp; or EXIT_PERM or
   EXIT_TEMP with a line in the report. */
MUST_USE int forward_deliver(const struct forward *forward,
    struct message *message, struct report *report, uint64_t *qp);

#endif
