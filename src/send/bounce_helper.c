#include "send/bounce_helper.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/sandbox.h"
#include "base/sig.h"
#include "base/str.h"
#include "mail/netstring.h"
#include "net/submit.h"

enum {
	ANSWER_MAX = 256,
	PACKET_MAX = 8 * 1024, /* for BOUNCE_HELPER_SHARED ids */
};

struct helper {
	int sock, queue_dir;
	struct settings settings; /* at first as the scheduler has read them */
	bool stale; /* and the scheduler has read some of them again */
};

static const struct sandbox rights = {
    .may = SANDBOX_LOCAL, /* qmail-queued */
    .read = {"queue", "control"},
};

/* ---- in the helper ------------------------------------------------------ */

/* At HUP, so that all helpers go by the same; a failure is repeated before the
   next bounce. */
static void
reload_settings(struct helper *helper)
{
	helper->stale = settings_reload(&helper->settings) != NULL;
}

static int
send_answer(const struct helper *helper, const struct bounce_answer *answer)
{
	struct str packet = STR_INIT;
	int sent;

	netstring_append(&packet, (struct span){&answer->letter, 1});
	netstring_append_u64(&packet, answer->id);
	netstring_append_u64(&packet, answer->qp);
	sent = fd_send_packet(helper->sock, str_span(&packet), -1);
	str_free(&packet);
	return sent;
}

/* One packet; false when the scheduler is gone. */
static bool
serve(struct helper *helper)
{
	struct bounce_answer answers[BOUNCE_HELPER_SHARED];
	char buf[PACKET_MAX];
	struct span packet, kind;
	size_t count = 0;
	ssize_t got;
	int passed;

	got = fd_receive_packet(helper->sock, buf, sizeof(buf), &passed);
	fd_close(passed); /* none is expected */
	if (got <= 0)
		return false;
	packet = (struct span){buf, (size_t)got};
	if (netstring_take(&packet, &kind) == -1)
		return false;
	if (span_is(kind, "H")) {
		reload_settings(helper);
		return true;
	}
	do {
		if (count == BOUNCE_HELPER_SHARED)
			return false;
		answers[count] = (struct bounce_answer){.letter = 'E'};
		if (netstring_take_u64(&packet, &answers[count++].id) == -1)
			return false;
	} while (packet.len > 0);
	if (helper->stale)
		reload_settings(helper);
	if (!helper->stale)
		bounce_submit(
		    &helper->settings, helper->queue_dir, answers, count);
	for (size_t i = 0; i < count; i++) {
		if (send_answer(helper, &answers[i]) == -1)
			return false;
	}
	return true;
}

NORETURN static void
run_helper(struct helper *helper, int log, const int *closed, size_t count)
{
	static const int ignored[] = {
	    SIGHUP, SIGALRM, SIGTERM, SIGINT, SIGPIPE};

	for (size_t i = 0; i < count; i++)
		fd_close(closed[i]);
	/* descriptors 0 to 2 must be open for programs that submit starts */
	if (fd_guard_standard() == -1 || dup2(log, 2) == -1)
		_exit(EXIT_TEMP);
	/* bounces under way are finished whatever the signals say */
	for (size_t i = 0; i < COUNT(ignored); i++)
		(void)!sig_ignore(ignored[i]);
	(void)!sig_release(); /* the programs that we run get no mask */
	if (!submit_runs_program())
		sandbox_enter(&rights);
	while (serve(helper))
		;
	_exit(0);
}

/* ---- in the scheduler --------------------------------------------------- */

/* What is discarded needs no bound. */
static unsigned long
doubles_per_hour(const struct settings *settings)
{
	return settings->doublebounceto.len > 0 ? settings->double_per_hour : 0;
}

int
bounce_helpers_start(struct bounce_helpers *helpers,
    const struct settings *settings, int queue_dir, int log,
    const int *keep_closed, size_t keep_closed_count)
{
	helpers->waiting = helpers->doubles = (struct id_queue)ID_QUEUE_INIT;
	helpers->rate =
	    (struct bounce_rate){.per_hour = doubles_per_hour(settings)};
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		int ends[2];
		pid_t pid;

		if (fd_packet_pair(ends) == -1)
			return -1;
		pid = fork();
		if (pid == -1)
			return -1;
		if (pid == 0) {
			struct helper helper = {.sock = ends[1],
			    .queue_dir = queue_dir,
			    .settings = *settings};

			/* the others must see the end of theirs */
			for (size_t j = 0; j < i; j++)
				fd_close(helpers->helpers[j].fd);
			fd_close(ends[0]);
			run_helper(
			    &helper, log, keep_closed, keep_closed_count);
		}
		fd_close(ends[1]);
		if (fd_nonblock(ends[0]) == -1)
			return -1;
		helpers->helpers[i].fd = ends[0];
		helpers->helpers[i].asked = 0;
	}
	return 0;
}

/* Asks for the first ones of a line, in one message if there are several. A
   packet always has room: a helper that owes nothing has read all that it was
   sent. False if there is none all the same. */
static bool
ask(int fd, struct id_queue *line, size_t count)
{
	const uint64_t *ids = line->ids + line->start;
	struct str packet = STR_INIT;
	bool sent;

	netstring_append(&packet, SPAN_LITERAL("B"));
	for (size_t i = 0; i < count; i++)
		netstring_append_u64(&packet, ids[i]);
	sent = fd_send_packet(fd, str_span(&packet), -1) == 0;
	for (size_t i = 0; sent && i < count; i++)
		(void)id_queue_remove(line, line->ids[line->start]);
	str_free(&packet);
	return sent;
}

/* How many double bounces go now, as one; uses a place for them. */
static size_t
take_doubles(struct bounce_helpers *helpers, int64_t now_ms)
{
	size_t count = helpers->doubles.count;

	if (count == 0 || bounce_rate_free_ms(&helpers->rate) > now_ms)
		return 0;
	if (!bounce_rate_use(&helpers->rate, now_ms))
		return 1;
	return count < BOUNCE_HELPER_SHARED ? count : BOUNCE_HELPER_SHARED;
}

void
bounce_helpers_hand_out(struct bounce_helpers *helpers, int64_t now_ms)
{
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		struct id_queue *line = &helpers->doubles;
		size_t count;

		if (helpers->helpers[i].asked > 0)
			continue;
		count = take_doubles(helpers, now_ms);
		if (count == 0) {
			line = &helpers->waiting;
			count = line->count > 0 ? 1 : 0;
		}
		if (count == 0)
			return;
		if (ask(helpers->helpers[i].fd, line, count))
			helpers->helpers[i].asked = count;
	}
}

int64_t
bounce_helpers_wake_ms(const struct bounce_helpers *helpers)
{
	if (helpers->doubles.count == 0)
		return 0;
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		if (helpers->helpers[i].asked == 0)
			return bounce_rate_free_ms(&helpers->rate);
	}
	return 0;
}

void
bounce_helpers_ask(struct bounce_helpers *helpers, uint64_t id, bool is_double)
{
	id_queue_add(is_double ? &helpers->doubles : &helpers->waiting, id);
}

bool
bounce_helpers_take_back(struct bounce_helpers *helpers, uint64_t id)
{
	return id_queue_remove(&helpers->waiting, id) ||
	    id_queue_remove(&helpers->doubles, id);
}

void
bounce_helpers_reload(
    struct bounce_helpers *helpers, const struct settings *settings)
{
	struct str packet = STR_INIT;

	helpers->rate.per_hour = doubles_per_hour(settings);
	netstring_append(&packet, SPAN_LITERAL("H"));
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		/* without room it has as many of them waiting already */
		(void)!fd_send_packet(
		    helpers->helpers[i].fd, str_span(&packet), -1);
	}
	str_free(&packet);
}

void
bounce_helpers_stop(struct bounce_helpers *helpers)
{
	id_queue_free(&helpers->waiting);
	id_queue_free(&helpers->doubles);
}

bool
bounce_helpers_are_idle(const struct bounce_helpers *helpers)
{
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		if (helpers->helpers[i].asked > 0)
			return false;
	}
	return true;
}

int
bounce_helpers_next(
    struct bounce_helpers *helpers, struct bounce_answer *answer)
{
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		char buf[ANSWER_MAX];
		struct span packet, letter;
		ssize_t got;
		int passed;

		got = fd_receive_packet(
		    helpers->helpers[i].fd, buf, sizeof(buf), &passed);
		fd_close(passed); /* none is expected */
		if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			continue;
		if (got <= 0 || helpers->helpers[i].asked == 0)
			return -1;
		packet = (struct span){buf, (size_t)got};
		if (netstring_take(&packet, &letter) == -1 || letter.len != 1 ||
		    netstring_take_u64(&packet, &answer->id) == -1 ||
		    netstring_take_u64(&packet, &answer->qp) == -1)
			return -1;
		answer->letter = letter.s[0];
		helpers->helpers[i].asked--;
		return 1;
	}
	return 0;
}
