/*
 * delivery - one local delivery from beginning to end: what qmail-local does
 *
 * Both faces of qmail-local call this, for one message or for many in turn.
 * It changes the current directory and, while it runs, environ; nothing else
 * is left behind. It never exits, except when memory is exhausted.
 */
#ifndef LOCAL_DELIVERY_H
#define LOCAL_DELIVERY_H

#include <stdbool.h>

#include "base/attr.h"
#include "local/local_job.h"
#include "local/message.h"
#include "local/report.h"

struct delivery_mode {
	bool is_dry;       /* only say what would be done */
	bool is_collected; /* what programs print goes into the report */
};

/*
 * Delivers message as job says. Returns EXIT_OK, EXIT_PERM or EXIT_TEMP; the
 * report says what was done, or what went wrong.
 */
MUST_USE int delivery_run(const struct local_job *job, struct message *message,
    struct delivery_mode mode, struct report *report);

#endif
