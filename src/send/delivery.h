/*
 * delivery - passes over the recipients of a message, and their jobs
 *
 * Each channel has a ring of passes; a turn starts one job of the next pass
 * whose host has room, so that neither a long list nor a dead host holds up
 * the others. A pass all of whose hosts are busy waits at one of them. Those
 * hosts take turns with each other and with the ring. New mail has its first
 * turn before all of these, but for one turn in four.
 */
#ifndef SEND_DELIVERY_H
#define SEND_DELIVERY_H

#include <stdbool.h>

#include "send/channel.h"
#include "send/state.h"

enum {
	DELIVERY_PASSES_EXTRA = 100, /* passes: 4 times the jobs, and these */
	DELIVERY_BYTES_MAX = 64 * 1024 * 1024, /* in passes of one channel */
	DELIVERY_BIG = 64 * 1024, /* bytes of an envelope that may have to wait
				     for memory */
	DELIVERY_BIG_S = 5,       /* for so long */
	DELIVERY_STARTS_A_TURN = 256,
	DELIVERY_RESULTS_A_TURN = 256,
	DELIVERY_DEFERRED_A_TURN = 256, /* recipients, without a job */
};

/* May one more pass be made? New messages may use all places, the schedule
   only three in four, so that old mail does not keep new mail out. */
bool delivery_has_room(
    const struct state *state, enum channel_kind channel, bool fresh);
/* True if the envelope just read is big and the channel has many of those. */
bool delivery_is_too_big(const struct state *state, enum channel_kind channel);
/* Puts a new pass of the message to work; fresh: of mail that has just come. */
void delivery_begin(struct state *state, struct message *message,
    struct pass *pass, bool fresh);
/* Starts passes of messages that are due, not too many at once. */
void delivery_start_due(struct state *state, enum channel_kind channel);
/* Starts jobs of the passes in the rings. */
void delivery_start_jobs(struct state *state, enum channel_kind channel);
/* Takes in results. */
void delivery_read_results(struct state *state, enum channel_kind channel);
/* An administrator wants all to be tried now, whatever is known of hosts. */
void delivery_flush(struct state *state);
/* Those of the recipients of a pass that is in no ring and waits nowhere that
   are not under way are not tried. When the rest has ended, it is seen what to
   do about the message, which may end. */
void delivery_stop_pass(struct state *state, struct pass *pass);
/* The settings were read again. */
void delivery_change_tables(struct state *state);
void delivery_log_status(struct state *state);
/* The spawn is gone: nothing of that channel will end any more. */
void delivery_lose(struct state *state, enum channel_kind channel);

#endif
