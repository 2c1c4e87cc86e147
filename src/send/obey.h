/*
 * obey - carries out orders of administrators that concern messages
 *
 * What is held is kept out of the schedule by delivery; here is what ends a
 * message before its time, or brings one back.
 */
#ifndef SEND_OBEY_H
#define SEND_OBEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "send/state.h"

enum {
	OBEY_FAILURES_A_STEP = 50000, /* recipients given up at a time */
};

/* A list of orders that came from qmail-queued, before or after all of them
   were told; and of orders that were taken back. */
void obey_take(struct state *state, struct span list);
void obey_take_back(struct state *state, struct span list);
/* All orders have been told. */
void obey_complete(struct state *state);
/* Ids that are to be tried now; all messages if there are none. */
void obey_try_now(struct state *state, struct span list);
/* Lets the passes under way know. To be called once a turn. */
void obey_settle(struct state *state);

/*
 * If an order ends the message, of which nothing is under way: takes the next
 * step to that, or puts it off. True: then the message may be gone.
 */
bool obey_end(struct state *state, struct message *message);
/* The same for a message whose next step was put off; if there is no such
   order any more, it is tried as before. */
void obey_go_on(struct state *state, struct message *message);

#endif
