/*
 * qmail-send - schedules deliveries and bounces; owns no durable state
 * Runs as: qmails    Trusts: the queue's files and qmail-queued; of the spawns
 *                    no more than the results of the jobs they were given
 * Reads:   queue/, control/    Writes: nothing but the log
 * Descriptors: 0 the log, written; 1 qmail-lspawn; 2 as 0; 3 qmail-rspawn;
 *              4 the lifeline: its end means TERM
 * Talks to: run/control.sock; its helpers, to run/submit.sock
 * Exit:    0 after TERM; 100 wrong usage; 111 cannot start, or a spawn or
 *          helper is lost
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/sandbox.h"
#include "base/sig.h"
#include "conf/control.h"
#include "send/delivery.h"
#include "send/intake.h"
#include "send/life.h"
#include "send/obey.h"
#include "send/state.h"
#include "send/waiting.h"

enum {
	FD_LOG = 0,
	FD_LOCAL = 1,
	FD_REMOTE = 3,
	FD_LIFELINE = 4,
	SCRATCH_MAX = 1024 * 1024, /* bytes kept between turns */
	STEP_S = 10,             /* a clock that is set back by more is seen */
	FAREWELL_MS = 10 * 1000, /* for the queue to note the last results */
};

static struct {
	struct state state;
	int64_t last_s, last_ms;
} send_state;

static const struct sandbox rights = {
    .may = SANDBOX_LOCAL, /* qmail-queued */
    .read = {"queue", "control"},
};

NORETURN static void
refuse_to_start(const char *why)
{
	struct state *state = &send_state.state;

	message_log_text(&state->log, "alert: cannot start: %s", why);
	message_log_flush(&state->log);
	_exit(EXIT_TEMP);
}

/* ---- starting ----------------------------------------------------------- */

static void
open_signals(void)
{
	static const int numbers[] = {SIGHUP, SIGALRM, SIGTERM, SIGINT};

	send_state.state.signals = sig_open();
	if (send_state.state.signals == -1 || sig_ignore(SIGPIPE) == -1)
		refuse_to_start("unable to set up signals");
	for (size_t i = 0; i < COUNT(numbers); i++) {
		if (sig_watch(numbers[i]) == -1)
			refuse_to_start("unable to set up signals");
	}
	/* qmail-start has held back what came before we listen */
	if (sig_release() == -1)
		refuse_to_start("unable to set up signals");
}

static void
start(void)
{
	static const int not_for_helpers[] = {FD_LOCAL, FD_REMOTE, FD_LIFELINE};
	struct state *state = &send_state.state;
	const char *bad;

	message_log_init(&state->log, FD_LOG);
	state->settings = (struct settings)SETTINGS_INIT;
	if (control_home() == -1)
		refuse_to_start("unable to switch to home directory");
	state->queue_dir = open("queue", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->queue_dir == -1)
		refuse_to_start("unable to switch to queue directory");
	bad = settings_load(&state->settings);
	if (bad != NULL) {
		message_log_text(
		    &state->log, "warning: unable to read %s", bad);
		refuse_to_start("unable to read controls");
	}
	if (bounce_helpers_start(&state->bounces, &state->settings,
		state->queue_dir, FD_LOG, not_for_helpers,
		COUNT(not_for_helpers)) == -1)
		refuse_to_start("unable to start bounce helpers");
	sandbox_enter(&rights); /* the helpers have theirs, or none */
	open_signals();
	state->lifeline = FD_LIFELINE;
	if (fd_cloexec(FD_LIFELINE) == -1)
		state->lifeline = -1; /* started without one */
	hosts_init(&state->hosts,
	    (uint64_t)clock_mono_ms() * 1000003 ^ (uint64_t)getpid() << 32 ^
		(uint64_t)(uintptr_t)&state ^ (uint64_t)clock_now());
	queue_link_init(&state->link, "run/control.sock");
	state->orders = (struct orders)ORDERS_INIT;
	queue_scan_init(&state->scan, state->queue_dir);
	if (channel_open(&state->channels[CHANNEL_LOCAL], CHANNEL_LOCAL,
		FD_LOCAL) == -1 ||
	    channel_open(&state->channels[CHANNEL_REMOTE], CHANNEL_REMOTE,
		FD_REMOTE) == -1)
		refuse_to_start("hath the daemon spawn no fire?");
	for (size_t i = 0; i < CHANNELS; i++)
		channel_limit(
		    &state->channels[i], state->settings.concurrency[i]);
	send_state.last_s = clock_now();
	send_state.last_ms = clock_mono_ms();
	state->started_ms = send_state.last_ms;
	waiting_expect_all(state);
	delivery_log_status(state);
}

/* ---- one turn ----------------------------------------------------------- */

/* A clock that is set back must not put everything off by as much. */
static void
read_clocks(struct state *state)
{
	int64_t expected;

	state->now_s = clock_now();
	state->now_ms = clock_mono_ms();
	expected =
	    send_state.last_s + (state->now_ms - send_state.last_ms) / 1000;
	if (state->now_s + STEP_S < expected)
		schedule_shift(&state->schedule, expected - state->now_s);
	send_state.last_s = state->now_s;
	send_state.last_ms = state->now_ms;
}

static void
reload(struct state *state)
{
	const char *bad = settings_reload(&state->settings);

	if (bad != NULL) {
		message_log_text(
		    &state->log, "alert: unable to reread %s", bad);
		return;
	}
	delivery_change_tables(state);
	bounce_helpers_reload(&state->bounces, &state->settings);
}

static void
take_signals(struct state *state)
{
	for (;;) {
		switch (sig_next()) {
		case 0:
			return;
		case SIGHUP:
			reload(state);
			break;
		case SIGALRM:
			delivery_flush(state);
			state->flush_found =
			    queue_scan_is_wanted(&state->scan) ||
			    !state->subscribed_once;
			break;
		default:
			state->exiting = true;
		}
	}
}

static void
read_bounce_answers(struct state *state)
{
	struct bounce_answer answer;
	int got;

	while ((got = bounce_helpers_next(&state->bounces, &answer)) == 1)
		life_end_bounce(state, &answer);
	if (got == -1 && state->exit_code == 0) {
		message_log_text(
		    &state->log, "alert: oh no! lost bounce helper! dying...");
		state->exiting = true;
		state->exit_code = EXIT_TEMP;
	}
}

static void
take_turn(struct state *state)
{
	read_clocks(state);
	if (state->ready.signals)
		take_signals(state);
	for (size_t i = 0; i < CHANNELS; i++) {
		if (state->ready.channels[i])
			delivery_read_results(state, (enum channel_kind)i);
	}
	if (state->ready.helpers)
		read_bounce_answers(state);
	if (state->ready.queue && !intake_read_notices(state))
		refuse_to_start("qmail-send is already running");
	settling_note(&state->settling, &state->link, &state->schedule);
	if (!state->exiting)
		obey_settle(state);
	intake_scan(state);
	if (!state->exiting)
		life_run_errands(state);
	for (size_t i = 0; i < CHANNELS; i++) {
		delivery_start_due(state, (enum channel_kind)i);
		delivery_start_jobs(state, (enum channel_kind)i);
	}
	bounce_helpers_hand_out(&state->bounces, state->now_ms);
	queue_link_flush(&state->link, state->now_ms);
	message_log_flush(&state->log);
	/* one long list must not keep its memory for ever */
	if (state->env.size > SCRATCH_MAX)
		str_free(&state->env);
	if (state->done.size > SCRATCH_MAX)
		str_free(&state->done);
}

/* ---- between turns ------------------------------------------------------ */

/* True when nothing runs any more and the queue knows it, or never will. */
static bool
is_over(struct state *state)
{
	if (!state->exiting)
		return false;
	bounce_helpers_stop(&state->bounces);
	for (size_t i = 0; i < CHANNELS; i++) {
		if (!state->channels[i].lost && state->channels[i].running > 0)
			return false;
	}
	if (state->exit_code == 0 && !bounce_helpers_are_idle(&state->bounces))
		return false;
	if (queue_link_is_idle(&state->link))
		return true;
	if (state->farewell_ms == 0)
		state->farewell_ms = state->now_ms + FAREWELL_MS;
	return state->now_ms >= state->farewell_ms;
}

int
main(int argc, char **argv)
{
	struct state *state = &send_state.state;

	(void)argv;
	die_init("qmail-send");
	if (argc != 1)
		die_usage("qmail-send");
	(void)umask(077);
	start();
	for (;;) {
		take_turn(state);
		if (is_over(state))
			break;
		waiting_wait(state);
	}
	message_log_text(&state->log, "status: exiting");
	message_log_flush(&state->log);
	return state->exit_code;
}
