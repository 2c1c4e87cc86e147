#include "send/life.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "send/delivery.h"
#include "send/message_file.h"
#include "send/obey.h"

enum {
	ERRANDS_A_TURN = 64,
};

/* ---- reading ------------------------------------------------------------ */

static unsigned
split_of(uint64_t id)
{
	return (unsigned)(id % QUEUE_FILE_SPLIT);
}

/*
 * After trouble with an envelope. One that is not there may be an accident the
 * first time; the second time the message is not in the queue any more (its
 * files may have been moved away as damaged). What still lives is found by the
 * next scan. Returns whether to try again; if not, the message is gone.
 */
static bool
complain(
    struct state *state, struct message *message, const char *what, int error)
{
	uint64_t id = message->id;

	if (error == ENOENT && message->missing && message->active == 0) {
		message_log_text(&state->log,
		    "warning: env/%u/%" PRIu64
		    " is gone; forgetting the message",
		    split_of(id), id);
		schedule_remove(&state->schedule, message);
		return false;
	}
	message->missing = error == ENOENT;
	message_log_text(&state->log,
	    "warning: unable to %s/%u/%" PRIu64 ": %s; will try again later",
	    what, split_of(id), id, strerror(error));
	return true;
}

static int
decode(struct state *state, struct message *message,
    struct queue_envelope *envelope, bool *retry)
{
	if (queue_envelope_decode(str_span(&state->env), envelope) == -1) {
		*retry = complain(state, message, "read env", EBADMSG);
		return -1;
	}
	message->missing = false;
	return 0;
}

int
life_read(struct state *state, struct message *message,
    struct queue_envelope *envelope, bool *retry)
{
	str_clear(&state->done);
	if (message_file_read(state->queue_dir, QUEUE_ENV, message->id,
		MESSAGE_FILE_ENV_MAX, &state->env) == -1) {
		if (errno == ENOENT && message->silent && message->unread) {
			/* it ended before this process began */
			schedule_remove(&state->schedule, message);
			*retry = false;
			return -1;
		}
		*retry = complain(state, message, "open env", errno);
		return -1;
	}
	if (decode(state, message, envelope, retry) == -1)
		return -1;
	/* a single recipient has a done file only if it failed, and then we
	   know it, unless the message was there before us */
	if (envelope->recipient_count == 1 && !message->silent)
		return 0;
	if (message_file_read(state->queue_dir, QUEUE_DONE, message->id,
		MESSAGE_FILE_DONE_MAX, &state->done) == -1) {
		str_clear(&state->done);
		if (errno == ENOENT)
			return 0; /* nothing is done yet */
		*retry = complain(state, message, "open done", errno);
		return -1;
	}
	return 0;
}

/* ---- the beginning ------------------------------------------------------ */

static void
log_info(
    struct state *state, uint64_t id, const struct queue_envelope *envelope)
{
	struct message_log_info info = {id, envelope->size_bytes, envelope->qp,
	    envelope->uid, envelope->sender};

	message_log_info(&state->log, &info);
}

/* True if nothing but a bounce is left to do, which would end the message, and
   it came from a queue that is still being taken over. */
static bool
is_held_bounce(const struct state *state, const struct message *message,
    const struct queue_envelope *envelope)
{
	return envelope->recipient_count == 0 &&
	    orders_fate_of(&state->orders, message->id) == ORDERS_LIVE &&
	    order_set_holds_import(&state->orders.set, envelope->origin);
}

/* As if it had not been read yet; but it was in the log. */
static void
put_back(struct state *state, struct message *message)
{
	message->unread = message->silent = true;
	schedule_set_due(&state->schedule, message, SCHEDULE_ERRAND,
	    state->now_s + SCHEDULE_TROUBLE_S);
}

/* Starts what can be started at once of a message just read, and puts the
   rest into the schedule. */
static void
start(struct state *state, struct message *message,
    const struct queue_envelope *envelope)
{
	bool found = message->silent;
	struct pass *made[CHANNELS];
	struct pass_counts counts;
	bool wanted[CHANNELS];
	bool stopped =
	    orders_fate_of(&state->orders, message->id) != ORDERS_LIVE ||
	    order_set_holds_import(&state->orders.set, envelope->origin);

	if (is_held_bounce(state, message, envelope)) {
		put_back(state, message);
		return;
	}
	for (size_t i = 0; i < CHANNELS; i++)
		wanted[i] = !found && !stopped &&
		    !orders_hold(
			&state->orders, message->id, (enum channel_kind)i) &&
		    delivery_has_room(state, (enum channel_kind)i, true) &&
		    !delivery_is_too_big(state, (enum channel_kind)i);
	pass_make(envelope, str_span(&state->done), &state->settings.tables,
	    &state->orders.set, &state->hosts, wanted, made, &counts);
	message->held =
	    counts.held[CHANNEL_LOCAL] + counts.held[CHANNEL_REMOTE] > 0;
	message->failed = counts.failed > 0 || envelope->failures.len > 0;
	message->bounce = envelope->sender.len == 0;
	for (size_t i = 0; i < CHANNELS; i++) {
		int64_t due_s = state->now_s;

		message_set_todo(
		    message, (enum channel_kind)i, counts.todo[i] > 0);
		if (made[i] != NULL) {
			delivery_begin(state, message, made[i], true);
			continue;
		}
		if (found && !state->flush_found)
			due_s = schedule_resume(pass_birth(envelope),
			    state->now_s, (enum channel_kind)i);
		if (counts.todo[i] > 0)
			schedule_set_due(&state->schedule, message,
			    (enum schedule_heap)i, due_s);
	}
	life_settle(state, message);
}

/* As life_read, of a message that nothing has happened to yet. */
static int
take_env(struct state *state, struct message *message, struct span env,
    struct queue_envelope *envelope, bool *retry)
{
	str_copy(&state->env, env);
	str_clear(&state->done);
	return decode(state, message, envelope, retry);
}

/* Gets to know a message, by its files if env is empty. */
static void
prepare(struct state *state, struct message *message, struct span env)
{
	struct queue_envelope envelope;
	bool retry;
	int result = env.len > 0
	    ? take_env(state, message, env, &envelope, &retry)
	    : life_read(state, message, &envelope, &retry);

	if (result == -1) {
		if (retry)
			schedule_set_due(&state->schedule, message,
			    SCHEDULE_ERRAND, state->now_s + SCHEDULE_TROUBLE_S);
		return;
	}
	message->unread = false;
	if (!message->silent)
		log_info(state, message->id, &envelope);
	start(state, message, &envelope);
}

void
life_begin(struct state *state, uint64_t id, bool silent, struct span env)
{
	struct message *message;

	if (schedule_find(&state->schedule, id) != NULL)
		return;
	message = schedule_add(&state->schedule, id);
	if (message == NULL) {
		/* the scan that reads on later finds it */
		message_log_text(
		    &state->log, "alert: out of memory, sleeping...");
		queue_scan_add(&state->scan, id, id + 1, silent);
		state->scan.retry_s = state->now_s + QUEUE_SCAN_RETRY_S;
		return;
	}
	message->unread = true;
	message->silent = silent;
	if (!silent)
		message_log_new(&state->log, id);
	prepare(state, message, env);
}

/* ---- the end ------------------------------------------------------------ */

void
life_retire(struct state *state, struct message *message)
{
	(void)queue_link_retire(&state->link, message->id);
	message_log_end(&state->log, message->id);
	(void)order_set_forget(&state->orders.set, message->id);
	schedule_remove(&state->schedule, message);
}

static void
ask_barrier(struct state *state, struct message *message)
{
	message->bouncing = true;
	id_queue_add(&state->barriers, message->id);
	/* without a connection it is asked when there is one again */
	if (state->link.subscribed)
		queue_link_barrier(&state->link, message->id);
}

void
life_settle(struct state *state, struct message *message)
{
	bool todo = message->todo != 0;

	if (message->active != 0)
		return;
	if ((todo || message->failed) && obey_end(state, message))
		return;
	if (todo)
		return;
	if (message->failed)
		ask_barrier(state, message);
	else
		life_retire(state, message);
}

void
life_repeat_barriers(struct state *state)
{
	for (size_t i = 0; i < state->barriers.count; i++)
		queue_link_barrier(&state->link,
		    state->barriers.ids[state->barriers.start + i]);
}

void
life_pass_barrier(struct state *state, uint64_t id)
{
	struct message *message = schedule_find(&state->schedule, id);

	if (id_queue_remove(&state->barriers, id) &&
	    (message == NULL || !obey_end(state, message)))
		bounce_helpers_ask(
		    &state->bounces, id, message != NULL && message->bounce);
}

void
life_end_bounce(struct state *state, const struct bounce_answer *answer)
{
	struct message *message = schedule_find(&state->schedule, answer->id);

	if (message == NULL)
		return;
	switch (answer->letter) {
	case 'Q':
		message_log_bounce(&state->log, answer->id, answer->qp);
		life_retire(state, message);
		return;
	case 'T':
		message_log_discard(&state->log, "triple", answer->id);
		life_retire(state, message);
		return;
	case 'X':
		message_log_discard(&state->log, "double", answer->id);
		life_retire(state, message);
		return;
	default:
		if (obey_end(state, message))
			return;
		message_log_text(&state->log,
		    "warning: trouble injecting bounce message, will try "
		    "later");
		schedule_set_due(&state->schedule, message, SCHEDULE_ERRAND,
		    state->now_s + SCHEDULE_TROUBLE_S);
	}
}

void
life_run_errands(struct state *state)
{
	for (int i = 0; i < ERRANDS_A_TURN; i++) {
		struct message *message =
		    schedule_first(&state->schedule, SCHEDULE_ERRAND);

		if (message == NULL ||
		    schedule_due(&state->schedule, message, SCHEDULE_ERRAND) >
			state->now_s)
			return;
		schedule_unset(&state->schedule, message, SCHEDULE_ERRAND);
		/* what cannot be read can still be removed */
		if (message->unread &&
		    orders_fate_of(&state->orders, message->id) !=
			ORDERS_REMOVE)
			prepare(state, message, (struct span){"", 0});
		else if (!message->bouncing)
			obey_go_on(state, message);
		else if (!obey_end(state, message))
			ask_barrier(state, message);
	}
}
