#include "send/delivery.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/fd.h"
#include "mail/netstring.h"
#include "send/life.h"
#include "send/message_file.h"
#include "send/result.h"
#include "send/verp.h"

static const char is_down[] = RESULT_UNREACHABLE
    " (#4.4.1)\n"
    "It has let many connections fail; I did not try again yet.\n";

/* ---- log and counts ----------------------------------------------------- */

void
delivery_log_status(struct state *state)
{
	struct message_log_status status = {.exiting = state->exiting};

	for (size_t i = 0; i < CHANNELS; i++) {
		status.running[i] = state->channels[i].running;
		status.max[i] = state->channels[i].max;
		/* the limit may have been lowered meanwhile */
		if (status.running[i] > status.max[i])
			status.running[i] = status.max[i];
	}
	message_log_status(&state->log, &status);
}

/* What the rules of hosts depend on. */
static void
tell_hosts(struct state *state)
{
	const struct channel *channel = &state->channels[CHANNEL_REMOTE];

	state->hosts.slots = channel->max;
	state->hosts.used = channel->running;
	state->hosts.host_jobs = state->settings.host_jobs;
	state->hosts.now_ms = state->now_ms;
}

void
delivery_flush(struct state *state)
{
	schedule_flush(&state->schedule, state->now_s);
	hosts_forgive(&state->hosts);
}

static size_t
passes_max(const struct channel *channel)
{
	return 4 * channel->max + DELIVERY_PASSES_EXTRA;
}

bool
delivery_has_room(const struct state *state, enum channel_kind kind, bool fresh)
{
	const struct channel *channel = &state->channels[kind];
	size_t max = passes_max(channel);

	if (state->exiting || channel->lost || channel->max == 0)
		return false;
	if (channel->passes == 0)
		return true;
	return channel->passes < (fresh ? max : max - max / 4);
}

bool
delivery_is_too_big(const struct state *state, enum channel_kind kind)
{
	return state->env.len > DELIVERY_BIG &&
	    state->channels[kind].pass_bytes >= DELIVERY_BYTES_MAX;
}

void
delivery_lose(struct state *state, enum channel_kind kind)
{
	if (state->channels[kind].lost)
		return;
	state->channels[kind].lost = true;
	state->exiting = true;
	state->exit_code = 111;
	message_log_text(
	    &state->log, "alert: oh no! lost spawn connection! dying...");
}

/* ---- passes ------------------------------------------------------------- */

void
delivery_begin(
    struct state *state, struct message *message, struct pass *pass, bool fresh)
{
	struct channel *channel = &state->channels[pass->channel];

	message_set_active(message, pass->channel, true);
	pass->message = message;
	pass->generation = state->generation;
	pass->releases = state->orders.releases;
	pass->next_due_s =
	    schedule_next(pass->birth_s, state->now_s, pass->channel);
	pass->expired = state->now_s - pass->birth_s >
	    (int64_t)(state->settings.lifetime_s & INT64_MAX);
	channel->passes++;
	channel->pass_bytes += pass_size(pass);
	channel_ring_push(fresh ? &channel->fresh : &channel->ring, pass);
}

/* Frees the pass; the message is as before with respect to it. */
static void
drop_pass(struct state *state, struct pass *pass)
{
	struct channel *channel = &state->channels[pass->channel];

	if (pass->requested)
		settling_add(&state->settling, pass->message, pass->request);
	channel->passes--;
	channel->pass_bytes -= pass_size(pass);
	if (pass->generation != state->generation)
		state->old_passes--;
	pass_free(pass, &state->hosts);
}

/* If nothing of the pass is left or running, it ends. */
static void
end_pass_if_over(struct state *state, struct pass *pass)
{
	struct message *message = pass->message;
	enum channel_kind channel = pass->channel;
	bool again = pass->deferred > 0 || pass->stopped || pass->held;
	int64_t due_s = pass->next_due_s;

	if (pass->running > 0 || pass_has_more(pass))
		return;
	/* whoever is held now, and whether all are, is found out then */
	if (pass->stopped ||
	    (pass->held &&
		(pass->deferred == 0 ||
		    pass->releases != state->orders.releases)))
		due_s = state->now_s;
	drop_pass(state, pass);
	message_set_active(message, channel, false);
	message_set_todo(message, channel, again);
	if (again)
		schedule_set_due(&state->schedule, message,
		    (enum schedule_heap)channel, due_s);
	life_settle(state, message);
}

void
delivery_stop_pass(struct state *state, struct pass *pass)
{
	pass_cut(pass, &state->hosts);
	pass->stopped = true;
	end_pass_if_over(state, pass);
}

void
delivery_change_tables(struct state *state)
{
	state->generation++;
	state->old_passes = 0;
	for (size_t i = 0; i < CHANNELS; i++) {
		state->old_passes += state->channels[i].passes;
		channel_limit(
		    &state->channels[i], state->settings.concurrency[i]);
	}
}

/*
 * True if the message must not be read now: what it reported is not in its
 * files yet; or its recipients might be in a pass of the other channel that
 * was made with other tables.
 */
static bool
must_wait(const struct state *state, const struct message *message,
    enum channel_kind channel)
{
	enum channel_kind other =
	    channel == CHANNEL_LOCAL ? CHANNEL_REMOTE : CHANNEL_LOCAL;

	/* what the other channel's pass reports now concerns others */
	return message->settling > 0 ||
	    (message_is_active(message, other) && state->old_passes > 0);
}

/* Makes the pass of a message that is due. True if it is at work. */
static bool
activate(
    struct state *state, struct message *message, enum channel_kind channel)
{
	enum schedule_heap heap = (enum schedule_heap)channel;
	struct queue_envelope envelope;
	struct pass *made[CHANNELS];
	struct pass_counts counts;
	bool wanted[CHANNELS] = {false}, retry;

	schedule_unset(&state->schedule, message, heap);
	if (orders_fate_of(&state->orders, message->id) != ORDERS_LIVE) {
		life_settle(state, message);
		return false;
	}
	if (orders_hold(&state->orders, message->id, channel))
		return false; /* until it is released, it is due nowhere */
	if (must_wait(state, message, channel)) {
		schedule_set_due(
		    &state->schedule, message, heap, state->now_s + 1);
		return false;
	}
	if (life_read(state, message, &envelope, &retry) == -1) {
		if (retry)
			schedule_set_due(&state->schedule, message, heap,
			    state->now_s + SCHEDULE_TROUBLE_S);
		return false;
	}
	if (order_set_holds_import(&state->orders.set, envelope.origin))
		return false;
	if (delivery_is_too_big(state, channel)) {
		schedule_set_due(&state->schedule, message, heap,
		    state->now_s + DELIVERY_BIG_S);
		return false;
	}
	wanted[channel] = true;
	pass_make(&envelope, str_span(&state->done), &state->settings.tables,
	    &state->orders.set, &state->hosts, wanted, made, &counts);
	message->held =
	    counts.held[CHANNEL_LOCAL] + counts.held[CHANNEL_REMOTE] > 0;
	for (size_t i = 0; i < CHANNELS; i++) {
		bool todo = counts.todo[i] > 0;

		/* new tables may have moved recipients between the channels */
		if (message_is_active(message, (enum channel_kind)i) ||
		    message_is_todo(message, (enum channel_kind)i) == todo)
			continue;
		message_set_todo(message, (enum channel_kind)i, todo);
		schedule_unset(
		    &state->schedule, message, (enum schedule_heap)i);
		if (todo && made[i] == NULL)
			schedule_set_due(&state->schedule, message,
			    (enum schedule_heap)i, state->now_s);
	}
	if (made[channel] == NULL) {
		life_settle(state, message);
		return false;
	}
	delivery_begin(state, message, made[channel], false);
	return true;
}

void
delivery_start_due(struct state *state, enum channel_kind kind)
{
	for (int i = 0; i < DELIVERY_STARTS_A_TURN; i++) {
		struct message *message =
		    schedule_first(&state->schedule, (enum schedule_heap)kind);

		if (message == NULL ||
		    schedule_due(&state->schedule, message,
			(enum schedule_heap)kind) > state->now_s ||
		    !delivery_has_room(state, kind, false))
			return;
		(void)activate(state, message, kind);
	}
}

/* All hosts of the pass are busy: it waits at one of them, and gives its
   memory back if many others wait as well. */
static void
park(struct state *state, struct pass *pass, struct host *host)
{
	struct channel *channel = &state->channels[pass->channel];
	struct message *message = pass->message;

	/* a pass that is half done is kept: results of it are in no file yet */
	if (pass->running > 0 || pass->deferred > 0 ||
	    channel->passes < passes_max(channel) / 2) {
		hosts_wait(&state->hosts, host, message, pass);
		return;
	}
	hosts_wait(&state->hosts, host, message, NULL);
	drop_pass(state, pass);
}

/* Puts one of those that wait for a host, and need not any more, to work. */
static bool
wake(struct state *state)
{
	struct host_waiter waiter;

	while (hosts_wake(&state->hosts, &waiter) == 1) {
		if (waiter.pass != NULL) {
			channel_ring_push_first(
			    &state->channels[CHANNEL_REMOTE].ring, waiter.pass);
			return true;
		}
		message_set_active(waiter.message, CHANNEL_REMOTE, false);
		if (activate(state, waiter.message, CHANNEL_REMOTE))
			return true;
	}
	return false;
}

/* ---- jobs --------------------------------------------------------------- */

static void
log_starts(struct state *state, struct channel_job *job)
{
	struct pass *pass = job->pass;

	for (size_t i = 0; i < job->count; i++) {
		job->recipients[i].delivery = ++state->deliveries;
		message_log_start(&state->log, job->recipients[i].delivery,
		    pass->message->id, pass->channel,
		    pass_address(pass, job->recipients[i].recipient));
		delivery_log_status(state);
	}
}

/* Sends a job for the recipients in taken; host and message are given away. */
static void
start_job(struct state *state, struct pass *pass, const uint32_t *taken,
    size_t count, struct host *host, int message)
{
	struct channel *channel = &state->channels[pass->channel];
	struct channel_job *job = channel_new_job(channel, pass, count);
	struct str sender = STR_INIT;
	struct span domain = {"", 0};

	job->host = host;
	if (host != NULL) {
		host->running++;
		domain = (struct span){host->name, host->len};
	}
	pass->running++;
	verp_expand(
	    &sender, str_span(&pass->sender), pass_address(pass, taken[0]));
	job_encode_head(&state->packet, job->number, pass->message->id, domain,
	    str_span(&sender));
	for (size_t i = 0; i < count; i++) {
		job->recipients[i].recipient = taken[i];
		netstring_append(&state->packet, pass_address(pass, taken[i]));
	}
	log_starts(state, job);
	if (channel_send(channel, str_span(&state->packet), message,
		state->now_ms) == -1)
		delivery_lose(state, pass->channel);
	str_free(&sender);
}

/* The message cannot be opened: the pass tries no more. */
static void
break_pass(struct state *state, struct pass *pass, struct host *host)
{
	uint64_t id = pass->message->id;

	message_log_text(&state->log,
	    "warning: unable to open mess/%u/%" PRIu64
	    ": %s; will try again later",
	    (unsigned)(id % QUEUE_FILE_SPLIT), id, strerror(errno));
	if (host != NULL)
		hosts_release(&state->hosts, host);
	pass_cut(pass, &state->hosts);
	pass->deferred++;
	pass->next_due_s = state->now_s + SCHEDULE_TROUBLE_S;
	end_pass_if_over(state, pass);
}

/* The host is down: its recipients are deferred without a job. */
static void
defer_here(
    struct state *state, struct pass *pass, const uint32_t *taken, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct channel_recipient one = {
		    .delivery = ++state->deliveries, .recipient = taken[i]};

		message_log_start(&state->log, one.delivery, pass->message->id,
		    pass->channel, pass_address(pass, taken[i]));
		result_take(state, pass, &one, 'Z', span_of(is_down));
	}
	state->deferred += count;
	if (pass_has_more(pass))
		channel_ring_push(&state->channels[pass->channel].ring, pass);
	else
		end_pass_if_over(state, pass);
}

/* Gives the pass its turn. */
static void
take_turn(struct state *state, struct channel *channel, struct pass *pass)
{
	uint32_t taken[JOB_RECIPIENTS_MAX];
	size_t max = channel->recipients_max, count;
	/* room for the head of the packet and its netstrings' lengths */
	size_t room = FD_PACKET_MAX - 8192;
	struct host *host;
	int message;

	if (pass->verp || pass->channel == CHANNEL_LOCAL)
		max = 1;
	if (max > state->settings.job_recipients)
		max = state->settings.job_recipients;
	tell_hosts(state);
	count = pass_take(pass, &state->hosts, max, room, taken, &host);
	if (count == 0) {
		assert(host != NULL);
		park(state, pass, host);
		return;
	}
	if (host != NULL && hosts_is_down(&state->hosts, host)) {
		hosts_release(&state->hosts, host);
		defer_here(state, pass, taken, count);
		return;
	}
	message = message_file_open_mess(
	    state->queue_dir, pass->message->id, pass->size_bytes);
	if (message == -1) {
		break_pass(state, pass, host);
		return;
	}
	start_job(state, pass, taken, count, host, message);
	if (pass_has_more(pass))
		channel_ring_push(&channel->ring, pass);
}

/* Whose turn it is; or NULL. */
static struct pass *
next_pass(struct state *state, struct channel *channel)
{
	struct pass *pass;

	if (channel_is_fresh_turn(channel))
		return channel_ring_pop(&channel->fresh);
	/* what waits for a host that has room again has every other turn */
	if (channel->kind == CHANNEL_REMOTE &&
	    (channel->is_waiters_turn || channel->ring.first == NULL))
		(void)wake(state);
	channel->is_waiters_turn = !channel->is_waiters_turn;
	pass = channel_ring_pop(&channel->ring);
	return pass == NULL ? channel_ring_pop(&channel->fresh) : pass;
}

void
delivery_start_jobs(struct state *state, enum channel_kind kind)
{
	struct channel *channel = &state->channels[kind];
	struct pass *pass;

	if (channel->packet_fd != -1 &&
	    channel_flush(channel, state->now_ms) == -1)
		delivery_lose(state, kind);
	tell_hosts(state);
	state->deferred = 0;
	/* each turn starts a job, or takes a pass off its ring */
	while (!state->exiting && channel_can_start(channel) &&
	    state->deferred < DELIVERY_DEFERRED_A_TURN &&
	    !queue_link_is_full(&state->link)) {
		pass = next_pass(state, channel);
		if (pass == NULL)
			break;
		take_turn(state, channel, pass);
	}
}

/* ---- results ------------------------------------------------------------ */

/* Ends a job that has all its results. */
static void
end_job(struct state *state, struct channel *channel, struct channel_job *job)
{
	struct pass *pass = job->pass;
	struct host *host = job->host;
	enum hosts_outcome outcome = job->outcome;

	channel_end_job(channel, job);
	pass->running--;
	if (host != NULL) {
		host->running--;
		tell_hosts(state);
		hosts_note(&state->hosts, host, outcome);
	}
	delivery_log_status(state);
	end_pass_if_over(state, pass);
	if (host != NULL)
		hosts_release(&state->hosts, host);
}

static void
take_result(struct state *state, struct channel *channel,
    const struct channel_report *report, bool mangled)
{
	struct channel_job *job = report->job;
	struct channel_recipient *one = &job->recipients[report->result.index];
	enum hosts_outcome outcome = HOSTS_UNKNOWN;

	one->done = true;
	if (mangled) {
		result_take_mangled(state, job->pass, one);
	} else {
		outcome = result_judge_host(
		    report->result.letter, report->result.text);
		result_take(state, job->pass, one, report->result.letter,
		    report->result.text);
	}
	if (outcome < job->outcome)
		job->outcome = outcome;
	if (--job->left == 0)
		end_job(state, channel, job);
	else
		delivery_log_status(state);
}

void
delivery_read_results(struct state *state, enum channel_kind kind)
{
	struct channel *channel = &state->channels[kind];
	struct channel_report report;

	for (int i = 0; i < DELIVERY_RESULTS_A_TURN && !channel->lost; i++) {
		switch (channel_next(channel, &report)) {
		case CHANNEL_NONE:
			return;
		case CHANNEL_RESULT:
			take_result(state, channel, &report, false);
			break;
		case CHANNEL_MANGLED:
			take_result(state, channel, &report, true);
			break;
		case CHANNEL_GARBAGE:
			message_log_text(&state->log,
			    "warning: internal error: delivery report out of "
			    "range");
			break;
		case CHANNEL_LOST:
			delivery_lose(state, kind);
			return;
		}
	}
}
