#include "send/life.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "send/delivery.h"
#include "send/message_file.h"

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
 * An envelope that is not there: the first time it may be an accident, the
 * second time the message is not in the queue any more (its files may have
 * been moved away as damaged). What still lives is found by the next scan.
 */
static void
miss_envelope(struct state *state, struct message *message, bool *retry)
{
	if (!message->missing) {
		message->missing = true;
		*retry = true;
		return;
	}
	message_log_text(&state->log,
	    "warning: env/%u/%" PRIu64 " is gone; forgetting the message",
	    split_of(message->id), message->id);
	schedule_remove(&state->schedule, message);
}

int
life_read(struct state *state, struct message *message,
    struct queue_envelope *envelope, bool *retry)
{
	uint64_t id = message->id;
	const char *what = "open";

	*retry = false;
	str_clear(&state->done);
	if (message_file_read(state->queue_dir, QUEUE_ENV, id,
		MESSAGE_FILE_ENV_MAX, &state->env) == -1) {
		if (errno == ENOENT && message->silent && message->unread)
			goto forget; /* it ended before this process began */
		goto fail;
	}
	if (queue_envelope_decode(str_span(&state->env), envelope) == -1) {
		errno = EBADMSG;
		what = "understand";
		goto fail;
	}
	message->missing = false;
	/* a single recipient has a done file only if it failed, and then we
	   know it, unless the message was there before us */
	if (envelope->recipient_count == 1 && !message->silent)
		return 0;
	if (message_file_read(state->queue_dir, QUEUE_DONE, id,
		MESSAGE_FILE_DONE_MAX, &state->done) == -1) {
		str_clear(&state->done);
		if (errno != ENOENT)
			goto fail;
	}
	return 0;
fail:
	message_log_text(&state->log,
	    "warning: unable to %s env/%u/%" PRIu64
	    ": %s; will try again later",
	    what, split_of(id), id, strerror(errno));
	*retry = true;
	if (errno == ENOENT)
		miss_envelope(state, message, retry);
	return -1;
forget:
	schedule_remove(&state->schedule, message);
	return -1;
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

/* Reads a message for the first time, and starts or schedules what it needs. */
static void
prepare(struct state *state, struct message *message)
{
	struct queue_envelope envelope;
	struct pass *made[CHANNELS];
	struct pass_counts counts;
	bool wanted[CHANNELS], retry;

	if (life_read(state, message, &envelope, &retry) == -1) {
		if (retry)
			schedule_set_due(&state->schedule, message,
			    SCHEDULE_ERRAND, state->now_s + SCHEDULE_TROUBLE_S);
		return;
	}
	message->unread = false;
	/* the last day of the year 9999 is as good as any later one */
	message->birth_s = envelope.birth_s > INT64_C(253402300799)
	    ? INT64_C(253402300799)
	    : (int64_t)envelope.birth_s;
	if (!message->silent)
		log_info(state, message->id, &envelope);
	for (size_t i = 0; i < CHANNELS; i++)
		wanted[i] = !message->silent &&
		    delivery_has_room(state, (enum channel_kind)i, true);
	pass_make(&envelope, str_span(&state->done), &state->settings.tables,
	    &state->hosts, wanted, made, &counts);
	message->failed = counts.failed > 0;
	for (size_t i = 0; i < CHANNELS; i++) {
		enum channel_kind channel = (enum channel_kind)i;

		message->todo[i] = counts.todo[i] > 0;
		if (made[i] != NULL)
			delivery_begin(state, message, made[i]);
		else if (message->todo[i])
			schedule_set_due(&state->schedule, message,
			    (enum schedule_heap)i,
			    message->silent ? schedule_resume(message->birth_s,
						  state->now_s, channel)
					    : state->now_s);
	}
	life_settle(state, message);
}

void
life_begin(struct state *state, uint64_t id, bool silent)
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
	prepare(state, message);
}

/* ---- the end ------------------------------------------------------------ */

static void
retire(struct state *state, struct message *message)
{
	(void)queue_link_retire(&state->link, message->id);
	message_log_end(&state->log, message->id);
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
	for (size_t i = 0; i < CHANNELS; i++) {
		if (message->todo[i] || message->active[i])
			return;
	}
	if (message->failed)
		ask_barrier(state, message);
	else
		retire(state, message);
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
	if (id_queue_remove(&state->barriers, id))
		bounce_helpers_ask(&state->bounces, id);
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
		retire(state, message);
		return;
	case 'T':
		message_log_discard(&state->log, "triple", answer->id);
		retire(state, message);
		return;
	case 'X':
		message_log_discard(&state->log, "double", answer->id);
		retire(state, message);
		return;
	default:
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
		    message->due_s[SCHEDULE_ERRAND] > state->now_s)
			return;
		schedule_unset(&state->schedule, message, SCHEDULE_ERRAND);
		if (message->unread)
			prepare(state, message);
		else
			ask_barrier(state, message);
	}
}
