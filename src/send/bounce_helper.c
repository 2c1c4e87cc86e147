#include "send/bounce_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/sig.h"
#include "base/str.h"
#include "mail/netstring.h"
#include "mail/queue_file.h"
#include "net/submit.h"
#include "send/bounce.h"
#include "send/message_file.h"
#include "send/settings.h"
#include "send/verp.h"

enum {
	PACKET_MAX = 256,
	COPY_SIZE = 16 * 1024,
	FAILURES_MAX = 1024 * 1024 * 1024, /* bytes of a bounce file */
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

struct recipient {
	struct span address;
	char letter;
};

/* The recipients of an envelope as an array; NULL without memory. */
static struct recipient *
list_recipients(const struct queue_envelope *envelope)
{
	struct span rest = envelope->recipients;
	/* one more: there may be none */
	struct recipient *recipients =
	    mem_try_alloc(envelope->recipient_count + 1, sizeof(*recipients));

	for (size_t i = 0; recipients != NULL && i < envelope->recipient_count;
	     i++) {
		if (queue_envelope_next_as(&rest, &recipients[i].address,
			&recipients[i].letter) != 1)
			break; /* cannot be: they were counted */
	}
	return recipients;
}

/* Writes what text holds as soon as it is much. */
static void
write_part(struct submit *submit, struct str *text, size_t keep_bytes)
{
	if (text->len <= keep_bytes)
		return;
	submit_write(submit, text->s, text->len);
	str_clear(text);
}

/* Writes a paragraph for each recipient that failed, in the order of their
   failures. */
static void
write_failures(const struct helper *helper, struct submit *submit, uint64_t id,
    const struct queue_envelope *envelope, const struct recipient *recipients,
    struct span failures)
{
	const struct classify_tables *tables = &helper->settings.tables;
	struct str text = STR_INIT, address = STR_INIT;
	struct queue_failure failure;

	/* these paragraphs are as we would have written them, or nearly */
	submit_write(submit, envelope->failures.s, envelope->failures.len);
	/* a torn end holds nothing that was ever acknowledged */
	while (queue_failure_next(&failures, id, &failure) == 1) {
		if (failure.recipient >= envelope->recipient_count)
			continue;
		(void)classify_queued(tables,
		    recipients[failure.recipient].letter,
		    recipients[failure.recipient].address, &address);
		bounce_append_failure(&text,
		    classify_without_prefix(tables, str_span(&address)),
		    failure.text);
		write_part(submit, &text, COPY_SIZE);
	}
	write_part(submit, &text, 0);
	str_free(&text);
	str_free(&address);
}

/* Copies the first size_bytes of the message. -1 if it has not so many, or
   cannot be read. */
static int
copy_message(struct submit *submit, int fd, uint64_t size_bytes)
{
	char buf[COPY_SIZE];

	while (size_bytes > 0) {
		ssize_t got = read(fd, buf,
		    size_bytes < sizeof(buf) ? (size_t)size_bytes
					     : sizeof(buf));

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		submit_write(submit, buf, (size_t)got);
		size_bytes -= (uint64_t)got;
	}
	return 0;
}

/*
 * How much of a message of size_bytes a copy of at most max_bytes (0: any) has:
 * whole lines, unless the first one alone is longer. 0, or -1 if it cannot be
 * read.
 */
static int
find_cut(int fd, uint64_t size_bytes, uint64_t max_bytes, uint64_t *copy_bytes)
{
	char buf[COPY_SIZE];
	uint64_t end = max_bytes;

	*copy_bytes = size_bytes;
	if (max_bytes == 0 || size_bytes <= max_bytes)
		return 0;
	*copy_bytes = max_bytes;
	while (end > 0) {
		size_t part = end < sizeof(buf) ? (size_t)end : sizeof(buf);
		ssize_t got = pread(fd, buf, part, (off_t)(end - part));
		size_t at;

		if (got == -1 && errno == EINTR)
			continue;
		if (got < 0 || (size_t)got != part)
			return -1;
		at = span_find_last((struct span){buf, part}, '\n');
		end -= part;
		if (at != SPAN_NONE) {
			*copy_bytes = end + at + 1;
			return 0;
		}
	}
	return 0;
}

/* The whole message of the bounce; -1 if ours cannot be read. */
static int
write_bounce(const struct helper *helper, struct submit *submit,
    const struct bounce_head *head, uint64_t id,
    const struct queue_envelope *envelope, struct span failures)
{
	struct recipient *recipients = list_recipients(envelope);
	int mess =
	    message_file_open_mess(helper->queue_dir, id, envelope->size_bytes);
	uint64_t copy_bytes;
	struct str text = STR_INIT;
	int result = -1;

	if (recipients != NULL && mess != -1 &&
	    find_cut(mess, envelope->size_bytes,
		helper->settings.bounce_max_bytes, &copy_bytes) == 0) {
		bounce_append_head(&text, head);
		write_part(submit, &text, 0);
		write_failures(
		    helper, submit, id, envelope, recipients, failures);
		bounce_append_break(&text, head->kind,
		    verp_base(envelope->sender),
		    copy_bytes < envelope->size_bytes ? copy_bytes : 0);
		write_part(submit, &text, 0);
		result = copy_message(submit, mess, copy_bytes);
	}
	fd_close(mess);
	free(recipients);
	str_free(&text);
	return result;
}

static char
submit_bounce(const struct helper *helper, struct bounce_answer *answer,
    const struct queue_envelope *envelope, struct span failures)
{
	const struct settings *settings = &helper->settings;
	struct bounce_head head = {bounce_kind_of(envelope->sender,
				       str_span(&settings->doublebounceto)),
	    clock_now(), str_span(&settings->bouncefrom),
	    str_span(&settings->bouncehost), verp_base(envelope->sender)};
	struct str to = STR_INIT;
	struct submit submit;
	char letter = 'E';

	if (head.kind == BOUNCE_DISCARD)
		return envelope->sender.len == 0 ? 'X' : 'T';
	if (head.kind == BOUNCE_DOUBLE) {
		str_format(&to, "%s@%s", settings->doublebounceto.s,
		    settings->doublebouncehost.s);
		head.to = str_span(&to);
	}
	if (submit_open(&submit) == 0 &&
	    write_bounce(
		helper, &submit, &head, answer->id, envelope, failures) == -1) {
		submit_abort(&submit);
		str_free(&to);
		return 'E';
	}
	submit_from(&submit, span_of(head.kind == BOUNCE_DOUBLE ? "#@[]" : ""));
	submit_to(&submit, head.to);
	if (submit_finish(&submit) == 0) {
		answer->qp = submit.qp;
		letter = 'Q';
	}
	str_free(&submit.text);
	str_free(&to);
	return letter;
}

/* The bounce file; a message with failures from elsewhere may have none. */
static int
read_failures(const struct helper *helper, uint64_t id,
    const struct queue_envelope *envelope, struct str *failures)
{
	if (message_file_read(helper->queue_dir, QUEUE_BOUNCE, id, FAILURES_MAX,
		failures) == 0)
		return 0;
	return errno == ENOENT && envelope->failures.len > 0 ? 0 : -1;
}

/* At HUP, so that all helpers go by the same; a failure is repeated before the
   next bounce. */
static void
reload_settings(struct helper *helper)
{
	helper->stale = settings_reload(&helper->settings) != NULL;
}

static void
serve_bounce(struct helper *helper, struct bounce_answer *answer)
{
	struct str env = STR_INIT, failures = STR_INIT;
	struct queue_envelope envelope;

	answer->letter = 'E';
	if (helper->stale)
		reload_settings(helper);
	if (!helper->stale &&
	    message_file_read(helper->queue_dir, QUEUE_ENV, answer->id,
		MESSAGE_FILE_ENV_MAX, &env) == 0 &&
	    queue_envelope_decode(str_span(&env), &envelope) == 0 &&
	    read_failures(helper, answer->id, &envelope, &failures) == 0)
		answer->letter = submit_bounce(
		    helper, answer, &envelope, str_span(&failures));
	str_free(&env);
	str_free(&failures);
}

/* One packet; false when the scheduler is gone. */
static bool
serve(struct helper *helper)
{
	char buf[PACKET_MAX];
	struct bounce_answer answer = {.letter = 'E'};
	struct str reply = STR_INIT;
	struct span packet, kind;
	ssize_t got;
	int passed, sent;

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
	if (netstring_take_u64(&packet, &answer.id) == -1)
		return false;
	serve_bounce(helper, &answer);
	netstring_append(&reply, (struct span){&answer.letter, 1});
	netstring_append_u64(&reply, answer.id);
	netstring_append_u64(&reply, answer.qp);
	sent = fd_send_packet(helper->sock, str_span(&reply), -1);
	str_free(&reply);
	return sent == 0;
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

int
bounce_helpers_start(struct bounce_helpers *helpers,
    const struct settings *settings, int queue_dir, int log,
    const int *keep_closed, size_t keep_closed_count)
{
	helpers->waiting = (struct id_queue)ID_QUEUE_INIT;
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
		helpers->helpers[i].busy = false;
	}
	return 0;
}

/* Gives what waits to who is free. A packet of some bytes always has room:
   a helper that is not busy has read all that it was sent. */
static void
hand_out(struct bounce_helpers *helpers)
{
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		struct str packet = STR_INIT;
		uint64_t id;

		if (helpers->waiting.count == 0)
			return;
		if (helpers->helpers[i].busy)
			continue;
		id = helpers->waiting.ids[helpers->waiting.start];
		netstring_append(&packet, SPAN_LITERAL("B"));
		netstring_append_u64(&packet, id);
		if (fd_send_packet(
			helpers->helpers[i].fd, str_span(&packet), -1) == 0) {
			helpers->helpers[i].busy = true;
			(void)id_queue_remove(&helpers->waiting, id);
		}
		str_free(&packet);
	}
}

void
bounce_helpers_ask(struct bounce_helpers *helpers, uint64_t id)
{
	id_queue_add(&helpers->waiting, id);
	hand_out(helpers);
}

void
bounce_helpers_reload(struct bounce_helpers *helpers)
{
	struct str packet = STR_INIT;

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
}

bool
bounce_helpers_are_idle(const struct bounce_helpers *helpers)
{
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		if (helpers->helpers[i].busy)
			return false;
	}
	return true;
}

int
bounce_helpers_next(
    struct bounce_helpers *helpers, struct bounce_answer *answer)
{
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		char buf[PACKET_MAX];
		struct span packet, letter;
		ssize_t got;
		int passed;

		got = fd_receive_packet(
		    helpers->helpers[i].fd, buf, sizeof(buf), &passed);
		fd_close(passed); /* none is expected */
		if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			continue;
		if (got <= 0)
			return -1;
		packet = (struct span){buf, (size_t)got};
		if (netstring_take(&packet, &letter) == -1 || letter.len != 1 ||
		    netstring_take_u64(&packet, &answer->id) == -1 ||
		    netstring_take_u64(&packet, &answer->qp) == -1)
			return -1;
		answer->letter = letter.s[0];
		helpers->helpers[i].busy = false;
		hand_out(helpers);
		return 1;
	}
	return 0;
}
