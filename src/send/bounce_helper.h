/*
 * bounce_helper - processes that compose and submit bounces
 *
 * To hand a bounce to the queue takes a disk sync, so the scheduler leaves it
 * to helpers, forked before its memory grows. Each has a socket: it is asked
 * with one packet, netstrings "B" id... or "H" (read control/ again; no
 * answer), and answers "B" with a packet of netstrings letter id qp for each
 * id. A helper ends when its socket does. QMAILQUEUE is honoured.
 *
 * Double bounces have a bound, settings.double_per_hour. The one that uses up
 * the last place takes along all that wait with it (up to
 * BOUNCE_HELPER_SHARED): they are told of in one message, without copies. So
 * nobody can drown the postmaster, and nothing fails silently.
 */
#ifndef SEND_BOUNCE_HELPER_H
#define SEND_BOUNCE_HELPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "send/bounce_rate.h"
#include "send/bounce_submit.h"
#include "send/id_queue.h"
#include "send/settings.h"

enum {
	BOUNCE_HELPERS = 4,         /* they share the queue's syncs */
	BOUNCE_HELPER_SHARED = 300, /* bounces in one message */
};

struct bounce_helpers {
	struct {
		int fd;
		size_t asked; /* answers are owed */
	} helpers[BOUNCE_HELPERS];
	struct id_queue waiting, doubles;
	struct bounce_rate rate; /* of the doubles */
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
/* Wants the bounce of a message; is_double: it is a bounce itself. */
void bounce_helpers_ask(
    struct bounce_helpers *helpers, uint64_t id, bool is_double);
/* Does not want it any more. False if it is not waiting, but on its way. */
bool bounce_helpers_take_back(struct bounce_helpers *helpers, uint64_t id);
/* Gives what waits to who is free; to be called in each turn. */
void bounce_helpers_hand_out(struct bounce_helpers *helpers, int64_t now_ms);
/* When that can do more without an answer; 0: never. */
int64_t bounce_helpers_wake_ms(const struct bounce_helpers *helpers);
void bounce_helpers_reload(
    struct bounce_helpers *helpers, const struct settings *settings);
/* Starts no more of them. */
void bounce_helpers_stop(struct bounce_helpers *helpers);
bool bounce_helpers_are_idle(const struct bounce_helpers *helpers);
/* Reads the next answer of any. 1; 0 for none; -1 if a helper is lost. */
MUST_USE int bounce_helpers_next(
    struct bounce_helpers *helpers, struct bounce_answer *answer);

#endif
