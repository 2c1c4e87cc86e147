/*
 * waiting - between two turns of the loop: until a descriptor is ready, or
 *           something is due
 */
#ifndef SEND_WAITING_H
#define SEND_WAITING_H

#include "send/state.h"

enum {
	WAITING_MAX_MS = 30 * 1000, /* at most, to notice a step of the clock */
};

/* As before the first wait: nobody knows. */
void waiting_expect_all(struct state *state);
/* Sets state->ready, and state->exiting when the lifeline has ended. */
void waiting_wait(struct state *state);

#endif
