/*
 * life - what becomes of a message, from the first notice to its end
 *
 * A message whose recipients are all done is retired; if some of them failed,
 * its bounce goes out before. A message that is gone from the schedule must
 * not be touched any more: calls that may end it say so.
 */
#ifndef SEND_LIFE_H
#define SEND_LIFE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "mail/queue_file.h"
#include "send/state.h"

/* A message is in the queue; silent: it may have been logged before. env: its
   envelope, if it is quite new and that is known; or empty. */
void life_begin(struct state *state, uint64_t id, bool silent, struct span env);
/*
 * Reads its envelope, and its done file if it can have one, into state->env
 * and state->done. 0, or -1: then it has been said, and the message may be
 * over; if it is not, *retry is set.
 */
MUST_USE int life_read(struct state *state, struct message *message,
    struct queue_envelope *envelope, bool *retry);
/* If nothing is left to be tried or under way: ends the message. */
void life_settle(struct state *state, struct message *message);
/* Takes the message out of the queue: it may be touched no more. */
void life_retire(struct state *state, struct message *message);
/* Deals with messages whose errand is due. */
void life_run_errands(struct state *state);
/* All failures of a message are in its bounce file. */
void life_pass_barrier(struct state *state, uint64_t id);
void life_end_bounce(struct state *state, const struct bounce_answer *answer);
/* Asks for the barriers again, after a new connection. */
void life_repeat_barriers(struct state *state);

#endif
