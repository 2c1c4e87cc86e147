/*
 * intake - how messages come to be known: notices, and walks through the queue
 */
#ifndef SEND_INTAKE_H
#define SEND_INTAKE_H

#include "send/state.h"

enum {
	INTAKE_NOTICES = 256,          /* packets a turn */
	INTAKE_SCAN = 200,             /* directory entries a turn */
	INTAKE_REFUSED_MS = 15 * 1000, /* for an old qmail-send to go away */
};

/* Takes in what qmail-queued has said. False if another qmail-send has held
   the queue since the start, for too long. */
MUST_USE bool intake_read_notices(struct state *state);
/* Goes on with a walk. */
void intake_scan(struct state *state);

#endif
