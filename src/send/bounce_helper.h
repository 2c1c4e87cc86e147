/*
 * bounce_helper - processes that compose and submit bounces
 *
 * To hand a bounce to the queue takes a disk sync, so the scheduler leaves it
 * to helpers, forked before its memory grows. Each has a socket: it is asked
 * with one packet, netstrings "B" id or "H" (read control/ again; no answer),
 * and answers "B" with netstrings letter id qp. A helper ends when its socket
 * does. QMAILQUEUE is honoured.
 */
#ifndef SEND_BOUNCE_HELPER_H
#define SEND_BOUNCE_HELPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "send/id_queue.h"
#include "send/settings.h"

enum {
	BOUNCE_HELPERS = 4, /* they share the queue's syncs */
};

struct bounce_answer {
	char letter; /* Q queued; T triple, X double bounce discarded; E
			trouble: try again later */
	uint64_t id, qp;
};

struct bounce_helpers {
	struct {
		int fd;
		bool busy;
	} helpers[BOUNCE_HELPERS];
	struct id_queue waiting;
};

/*
 * Forks the helpers. The working directory must be the home; queue_dir is a
 * descriptor of queue/. settings are theirs too; bounce_helpers_reload makes
 * them call settings_reload. log is the descriptor that they may complain on,
 * all of keep_closed are closed in them. 0, or -1 with errno.
 */
MUST_USE int bounce_helpers_start(struct bounce_helpers *helpers,
    const struct settings *settings, int queue_dir, int log,
    const int *keep_closed, size_t keep_closed_count);
/* Asks for the bounce of a message, now or when one is free. */
void bounce_helpers_ask(struct bounce_helpers *helpers, uint64_t id);
void bounce_helpers_reload(struct bounce_helpers *helpers);
/* Starts no more of them. */
void bounce_helpers_stop(struct bounce_helpers *helpers);
bool bounce_helpers_are_idle(const struct bounce_helpers *helpers);
/* Reads the next answer of any. 1; 0 for none; -1 if a helper is lost. */
MUST_USE int bounce_helpers_next(
    struct bounce_helpers *helpers, struct bounce_answer *answer);

#endif
