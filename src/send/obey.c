#include "send/obey.h"

#include <inttypes.h>
#include <stdlib.h>

#include "mail/netstring.h"
#include "send/delivery.h"
#include "send/life.h"

static const char given_up[] =
    "The postmaster here has given this message up; I will not try again."
    " (#5.0.0)\n";

/* ---- the end of a message ----------------------------------------------- */

static void
put_off(struct state *state, struct message *message, int64_t by_s)
{
	schedule_set_due(
	    &state->schedule, message, SCHEDULE_ERRAND, state->now_s + by_s);
}

/* Fails those who are left, not too many at once. Returns how many. */
static size_t
fail_recipients(struct state *state, struct message *message,
    const struct queue_envelope *envelope)
{
	struct span rest = envelope->recipients, recipient;
	struct span text = {given_up, sizeof(given_up) - 1};
	uint32_t request = 0;
	size_t count = 0;

	for (size_t i = 0; count < OBEY_FAILURES_A_STEP &&
	     queue_envelope_next(&rest, &recipient) == 1;
	     i++) {
		if (i < state->done.len &&
		    (state->done.s[i] == 'D' || state->done.s[i] == 'F'))
			continue;
		request = queue_link_failed(&state->link, message->id, i, text);
		count++;
	}
	if (count > 0)
		settling_add(&state->settling, message, request);
	return count;
}

static void
give_up(struct state *state, struct message *message)
{
	struct queue_envelope envelope;
	size_t count;
	bool retry;

	for (int i = 0; i < CHANNELS; i++)
		schedule_unset(
		    &state->schedule, message, (enum schedule_heap)i);
	if (message->settling > 0) { /* the files do not tell who is left */
		put_off(state, message, 1);
		return;
	}
	if (life_read(state, message, &envelope, &retry) == -1) {
		if (retry)
			put_off(state, message, SCHEDULE_TROUBLE_S);
		return;
	}
	count = fail_recipients(state, message, &envelope);
	message_log_text(&state->log,
	    "expired msg %" PRIu64 ": by order, recipients left: %zu",
	    message->id, count);
	message->failed = message->failed || count > 0;
	if (count == OBEY_FAILURES_A_STEP) {
		put_off(state, message, 1);
		return;
	}
	message->todo = 0;
	life_settle(state, message);
}

/* What waits for nothing but the end of a hold is due. */
static void
make_due(struct state *state, struct message *message)
{
	for (int i = 0; i < CHANNELS; i++) {
		if (schedule_is_held(message, (enum schedule_heap)i))
			schedule_set_due(&state->schedule, message,
			    (enum schedule_heap)i, state->now_s);
	}
}

bool
obey_end(struct state *state, struct message *message)
{
	switch (orders_fate_of(&state->orders, message->id)) {
	case ORDERS_LIVE:
		return false;
	case ORDERS_REMOVE:
		message_log_text(&state->log,
		    "removed msg %" PRIu64 ": by order, no bounce",
		    message->id);
		life_retire(state, message);
		return true;
	case ORDERS_EXPIRE:
		break;
	}
	if (message->todo == 0)
		return false; /* its bounce is on its way as any other */
	give_up(state, message);
	return true;
}

void
obey_go_on(struct state *state, struct message *message)
{
	if (message->active == 0 && !obey_end(state, message))
		make_due(state, message);
}

/* An order about a message that may be known: ends it, unless something of it
   is under way, or it is about to bounce: then it comes by here again. */
static void
end_known(struct state *state, uint64_t id)
{
	struct message *message = schedule_find(&state->schedule, id);

	if (message == NULL)
		return;
	if (message->bouncing || message->unread) {
		if (message->place[SCHEDULE_ERRAND] != 0 ||
		    bounce_helpers_take_back(&state->bounces, id))
			put_off(state, message, 0);
		return;
	}
	for (int i = 0; i < CHANNELS; i++)
		schedule_unset(
		    &state->schedule, message, (enum schedule_heap)i);
	life_settle(state, message);
}

/* ---- passes under way --------------------------------------------------- */

static bool
is_stopped(const struct state *state, const struct message *message,
    enum channel_kind channel)
{
	return orders_fate_of(&state->orders, message->id) != ORDERS_LIVE ||
	    orders_hold(&state->orders, message->id, channel);
}

/* True if an order is about what only the envelope tells: then the pass is
   made anew. */
static bool
is_concerned(struct state *state, const struct pass *pass)
{
	const struct order_set *set = &state->orders.set;
	struct queue_envelope envelope;
	struct span rest, recipient;
	bool retry;

	if (set->of_kind[ORDER_HOLD_DOMAIN] + set->of_kind[ORDER_HOLD_IMPORT] ==
	    0)
		return false;
	if (life_read(state, pass->message, &envelope, &retry) == -1 ||
	    order_set_holds_import(set, envelope.origin))
		return true;
	rest = envelope.recipients;
	for (size_t i = 0; queue_envelope_next(&rest, &recipient) == 1; i++) {
		bool todo = i >= state->done.len ||
		    (state->done.s[i] != 'D' && state->done.s[i] != 'F');

		if (todo && order_set_holds_recipient(set, recipient))
			return true;
	}
	return false;
}

static bool
is_waiter_stopped(void *owner, const struct host_waiter *waiter)
{
	struct state *state = owner;

	return is_stopped(state, waiter->message, CHANNEL_REMOTE) ||
	    (waiter->pass != NULL && is_concerned(state, waiter->pass));
}

static void
stop_in_ring(struct state *state, struct channel_ring *ring)
{
	struct pass *first = ring->first, *pass;

	channel_ring_clear(ring);
	while ((pass = first) != NULL) {
		first = pass->next;
		if (is_stopped(state, pass->message, pass->channel) ||
		    is_concerned(state, pass))
			delivery_stop_pass(state, pass);
		else
			channel_ring_push(ring, pass);
	}
}

static void
stop_passes(struct state *state)
{
	struct host_waiter *waiter, *next;

	for (size_t i = 0; i < CHANNELS; i++) {
		stop_in_ring(state, &state->channels[i].fresh);
		stop_in_ring(state, &state->channels[i].ring);
	}
	waiter = hosts_take_waiters(&state->hosts, is_waiter_stopped, state);
	for (; waiter != NULL; waiter = next) {
		struct message *message = waiter->message;

		next = waiter->next;
		if (waiter->pass != NULL) {
			delivery_stop_pass(state, waiter->pass);
		} else {
			message_set_active(message, CHANNEL_REMOTE, false);
			schedule_set_due(&state->schedule, message,
			    SCHEDULE_REMOTE, state->now_s);
			life_settle(state, message);
		}
		free(waiter);
	}
}

/* ---- orders that come and go -------------------------------------------- */

/* Begins anew if the connection is another than last time. */
static void
notice_connection(struct state *state)
{
	if (state->orders_connection == state->link.connections)
		return;
	state->orders_connection = state->link.connections;
	orders_begin(&state->orders);
}

static bool
take_one(struct state *state, struct span line)
{
	struct order order;

	if (!state->link.subscribed)
		return orders_expect(&state->orders, line) == 0;
	if (orders_add(&state->orders, line, &order) == -1)
		return false;
	if (order.kind == ORDER_EXPIRE || order.kind == ORDER_REMOVE)
		end_known(state, order.id);
	return true;
}

void
obey_take(struct state *state, struct span list)
{
	struct span line;

	notice_connection(state);
	while (netstring_take(&list, &line) == 0) {
		if (take_one(state, line))
			continue;
		/* mail that is held must not go out: ask for all again */
		message_log_text(&state->log,
		    "alert: unable to take in orders; asking again");
		queue_link_restart(&state->link, state->now_ms);
		return;
	}
}

void
obey_take_back(struct state *state, struct span list)
{
	struct message *message;
	struct order order;
	struct span line;

	notice_connection(state);
	while (netstring_take(&list, &line) == 0) {
		if (!state->link.subscribed)
			orders_unexpect(&state->orders, line);
		else if (orders_remove(&state->orders, line, &order) == 0 &&
		    order.kind == ORDER_HOLD_MESSAGE &&
		    (message = schedule_find(&state->schedule, order.id)) !=
			NULL)
			make_due(state, message);
	}
}

void
obey_complete(struct state *state)
{
	const struct order *order;
	uint64_t number = 0;

	notice_connection(state);
	orders_complete(&state->orders);
	if (!state->orders.added)
		return;
	while ((order = order_set_next(&state->orders.set, &number)) != NULL) {
		if (order->kind == ORDER_EXPIRE || order->kind == ORDER_REMOVE)
			end_known(state, order->id);
	}
}

void
obey_settle(struct state *state)
{
	if (state->orders.added)
		stop_passes(state);
	if (state->orders.released)
		schedule_release(&state->schedule, state->now_s);
	state->orders.added = state->orders.released = false;
}

/* ---- now ---------------------------------------------------------------- */

static void
try_one(struct state *state, uint64_t id)
{
	struct message *message = schedule_find(&state->schedule, id);

	if (message == NULL)
		return;
	if (message->place[SCHEDULE_ERRAND] != 0)
		put_off(state, message, 0);
	for (int i = 0; i < CHANNELS; i++) {
		if (message->place[i] != 0)
			schedule_set_due(&state->schedule, message,
			    (enum schedule_heap)i, state->now_s);
	}
}

void
obey_try_now(struct state *state, struct span list)
{
	uint64_t id;

	if (list.len == 0)
		delivery_flush(state);
	else
		hosts_forgive(&state->hosts);
	while (netstring_take_u64(&list, &id) == 0)
		try_one(state, id);
}
