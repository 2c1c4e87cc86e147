#include "send/intake.h"

#include "send/life.h"
#include "send/obey.h"

/* False if the queue is another's for good. */
static bool
take_notice(struct state *state, enum queue_link_event event, uint64_t number)
{
	switch (event) {
	case QUEUE_LINK_UP:
	case QUEUE_LINK_RESCAN:
		queue_coverage_complete(&state->coverage, number,
		    !state->subscribed_once, &state->scan);
		state->subscribed_once = true;
		if (event == QUEUE_LINK_UP) {
			obey_complete(state);
			life_repeat_barriers(state);
		}
		break;
	case QUEUE_LINK_NEW:
		queue_coverage_see(&state->coverage, number);
		if (!state->exiting)
			life_begin(state, number, false, state->link.list);
		break;
	case QUEUE_LINK_BARRIER:
		if (!state->exiting)
			life_pass_barrier(state, number);
		break;
	case QUEUE_LINK_ORDERS:
		obey_take(state, state->link.list);
		break;
	case QUEUE_LINK_UNDO:
		obey_take_back(state, state->link.list);
		break;
	case QUEUE_LINK_TRY_NOW:
		obey_try_now(state, state->link.list);
		break;
	case QUEUE_LINK_LOST:
		message_log_text(&state->log,
		    "warning: no connection to qmail-queued; will try again");
		break;
	case QUEUE_LINK_REFUSED:
		return state->subscribed_once ||
		    state->now_ms <= state->started_ms + INTAKE_REFUSED_MS;
	case QUEUE_LINK_NONE:
		break;
	}
	return true;
}

bool
intake_read_notices(struct state *state)
{
	uint64_t number = 0;

	for (int i = 0; i < INTAKE_NOTICES || state->link.news.len > 0; i++) {
		enum queue_link_event event =
		    queue_link_next(&state->link, state->now_ms, &number);

		if (event == QUEUE_LINK_NONE)
			return true;
		if (!take_notice(state, event, number))
			return false;
	}
	return true;
}

void
intake_scan(struct state *state)
{
	unsigned budget = INTAKE_SCAN, split = 0;
	uint64_t id;
	bool silent;

	while (!state->exiting) {
		int found = queue_scan_next(
		    &state->scan, state->now_s, &budget, &id, &silent, &split);

		if (found == -1)
			message_log_text(&state->log,
			    "alert: unable to opendir env/%u, sleeping...",
			    split);
		if (found != 1)
			break;
		life_begin(state, id, silent, (struct span){"", 0});
	}
	if (!queue_scan_is_wanted(&state->scan) && state->subscribed_once)
		state->flush_found = false;
}
