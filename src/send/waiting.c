#include "send/waiting.h"

#include <errno.h>
#include <poll.h>

#include "send/delivery.h"

/* poll's slots */
enum {
	POLL_LOCAL,
	POLL_REMOTE,
	POLL_LIFELINE,
	POLL_SIGNALS,
	POLL_QUEUE,
	POLL_HELPERS,
	POLL_COUNT = POLL_HELPERS + BOUNCE_HELPERS,
};

static void
lower(int64_t *wait_ms, int64_t other_ms)
{
	if (other_ms < *wait_ms)
		*wait_ms = other_ms > 0 ? other_ms : 0;
}

/* How long nothing needs to be done unless a descriptor says so. */
static int
find_wait(const struct state *state)
{
	int64_t wait_ms = WAITING_MAX_MS;
	int64_t link_ms = queue_link_wakes_ms(&state->link);
	int64_t bounce_ms = bounce_helpers_wake_ms(&state->bounces);

	for (int i = 0; i < SCHEDULE_HEAPS; i++) {
		struct message *first =
		    schedule_first(&state->schedule, (enum schedule_heap)i);

		if (first == NULL || state->exiting ||
		    (i != SCHEDULE_ERRAND &&
			!delivery_has_room(state, (enum channel_kind)i, false)))
			continue;
		lower(&wait_ms,
		    (schedule_due(
			 &state->schedule, first, (enum schedule_heap)i) -
			state->now_s) *
			1000);
	}
	for (size_t i = 0; i < CHANNELS; i++) {
		if (state->channels[i].packet_fd != -1 &&
		    state->channels[i].retry_ms != 0)
			lower(&wait_ms,
			    state->channels[i].retry_ms - state->now_ms);
	}
	if (queue_scan_is_wanted(&state->scan) && !state->exiting)
		lower(&wait_ms,
		    state->scan.retry_s == 0
			? 0
			: (state->scan.retry_s - state->now_s) * 1000);
	if (link_ms != 0)
		lower(&wait_ms, link_ms - state->now_ms);
	if (bounce_ms != 0)
		lower(&wait_ms, bounce_ms - state->now_ms);
	if (state->farewell_ms != 0)
		lower(&wait_ms, state->farewell_ms - state->now_ms);
	/* those that would be deferred without a job, but for the turn's end */
	if (state->deferred >= DELIVERY_DEFERRED_A_TURN && !state->exiting)
		wait_ms = 0;
	return (int)wait_ms;
}

void
waiting_expect_all(struct state *state)
{
	state->ready =
	    (struct ready){.signals = true, .queue = true, .helpers = true};
	for (size_t i = 0; i < CHANNELS; i++)
		state->ready.channels[i] = true;
}

/* What is left for another turn is reported again by the next poll. */
static void
note_ready(struct state *state, const struct pollfd *items)
{
	struct ready *ready = &state->ready;

	ready->signals = items[POLL_SIGNALS].revents != 0;
	/* the link has appointments of its own: to connect, to give up */
	ready->queue = items[POLL_QUEUE].revents != 0 ||
	    queue_link_wakes_ms(&state->link) != 0;
	for (size_t i = 0; i < CHANNELS; i++)
		ready->channels[i] = items[POLL_LOCAL + i].revents != 0;
	ready->helpers = false;
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		if (items[POLL_HELPERS + i].revents != 0)
			ready->helpers = true;
	}
}

void
waiting_wait(struct state *state)
{
	struct pollfd items[POLL_COUNT];

	for (size_t i = 0; i < CHANNELS; i++) {
		const struct channel *channel = &state->channels[i];

		items[POLL_LOCAL + i] = (struct pollfd){
		    .fd = channel->lost ? -1 : channel->fd, .events = POLLIN};
		if (channel->packet_fd != -1 && channel->retry_ms == 0)
			items[POLL_LOCAL + i].events |= POLLOUT;
	}
	items[POLL_LIFELINE] =
	    (struct pollfd){.fd = state->lifeline, .events = POLLIN};
	items[POLL_SIGNALS] =
	    (struct pollfd){.fd = state->signals, .events = POLLIN};
	items[POLL_QUEUE] = (struct pollfd){
	    .fd = state->link.fd, .events = queue_link_events(&state->link)};
	for (size_t i = 0; i < BOUNCE_HELPERS; i++)
		items[POLL_HELPERS + i] = (struct pollfd){
		    .fd = state->exit_code != 0 ? -1
						: state->bounces.helpers[i].fd,
		    .events = POLLIN};
	if (poll(items, POLL_COUNT, find_wait(state)) == -1) {
		if (errno != EINTR)
			message_log_text(
			    &state->log, "warning: trouble in select");
		waiting_expect_all(state);
		return;
	}
	note_ready(state, items);
	/* whoever held the other end is gone: as good as TERM */
	if (items[POLL_LIFELINE].revents != 0) {
		state->lifeline = -1;
		state->exiting = true;
	}
}
