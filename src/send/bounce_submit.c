#include "send/bounce_submit.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "mail/queue_file.h"
#include "net/submit.h"
#include "send/bounce.h"
#include "send/message_file.h"
#include "send/verp.h"

enum {
	COPY_SIZE = 16 * 1024,
	FAILURES_MAX = 1024 * 1024 * 1024, /* bytes of a bounce file */
};

/* Where a bounce is made from. */
struct sources {
	const struct settings *settings;
	int queue_dir;
};

struct recipient {
	struct span address;
	char letter;
};

/* What is to be told of a message. */
struct owed {
	uint64_t id;
	struct str env, failures; /* the files */
	struct queue_envelope envelope;
	struct recipient *recipients;
};

static void
free_owed(struct owed *owed)
{
	str_free(&owed->env);
	str_free(&owed->failures);
	free(owed->recipients);
}

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

/* The bounce file; a message with failures from elsewhere may have none. */
static int
read_failures(const struct sources *from, struct owed *owed)
{
	if (message_file_read(from->queue_dir, QUEUE_BOUNCE, owed->id,
		FAILURES_MAX, &owed->failures) == 0)
		return 0;
	return errno == ENOENT && owed->envelope.failures.len > 0 ? 0 : -1;
}

/* 0, or -1 if it cannot be read; free_owed in any case. */
static int
read_owed(const struct sources *from, uint64_t id, struct owed *owed)
{
	*owed = (struct owed){.id = id, .env = STR_INIT, .failures = STR_INIT};
	if (message_file_read(from->queue_dir, QUEUE_ENV, id,
		MESSAGE_FILE_ENV_MAX, &owed->env) == -1 ||
	    queue_envelope_decode(str_span(&owed->env), &owed->envelope) ==
		-1 ||
	    read_failures(from, owed) == -1)
		return -1;
	owed->recipients = list_recipients(&owed->envelope);
	return owed->recipients == NULL ? -1 : 0;
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
write_failures(
    const struct sources *from, struct submit *submit, const struct owed *owed)
{
	const struct classify_tables *tables = &from->settings->tables;
	const struct queue_envelope *envelope = &owed->envelope;
	struct span failures = str_span(&owed->failures);
	struct str text = STR_INIT, address = STR_INIT;
	struct queue_failure failure;

	/* these paragraphs are as we would have written them, or nearly */
	submit_write(submit, envelope->failures.s, envelope->failures.len);
	/* a torn end holds nothing that was ever acknowledged */
	while (queue_failure_next(&failures, owed->id, &failure) == 1) {
		if (failure.recipient >= envelope->recipient_count)
			continue;
		(void)classify_queued(tables,
		    owed->recipients[failure.recipient].letter,
		    owed->recipients[failure.recipient].address, &address);
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

static void
write_head(const struct sources *from, struct submit *submit,
    enum bounce_kind kind, struct span to)
{
	const struct settings *settings = from->settings;
	struct bounce_head head = {kind, clock_now(),
	    str_span(&settings->bouncefrom), str_span(&settings->bouncehost),
	    to};
	struct str text = STR_INIT;

	bounce_append_head(&text, &head);
	write_part(submit, &text, 0);
	str_free(&text);
}

/* The whole message of the bounce; -1 if ours cannot be read. */
static int
write_bounce(const struct sources *from, struct submit *submit,
    enum bounce_kind kind, struct span to, const struct owed *owed)
{
	uint64_t size_bytes = owed->envelope.size_bytes, copy_bytes;
	int mess =
	    message_file_open_mess(from->queue_dir, owed->id, size_bytes);
	struct str text = STR_INIT;
	int result = -1;

	if (mess != -1 &&
	    find_cut(mess, size_bytes, from->settings->bounce_max_bytes,
		&copy_bytes) == 0) {
		write_head(from, submit, kind, to);
		write_failures(from, submit, owed);
		bounce_append_break(&text, kind,
		    verp_base(owed->envelope.sender),
		    copy_bytes < size_bytes ? copy_bytes : 0);
		write_part(submit, &text, 0);
		result = copy_message(submit, mess, copy_bytes);
	}
	fd_close(mess);
	str_free(&text);
	return result;
}

static int
finish_bounce(struct submit *submit, enum bounce_kind kind, struct span to)
{
	submit_from(submit, span_of(kind == BOUNCE_SINGLE ? "" : "#@[]"));
	submit_to(submit, to);
	return submit_finish(submit);
}

static void
append_double_to(const struct sources *from, struct str *to)
{
	str_format(to, "%s@%s", from->settings->doublebounceto.s,
	    from->settings->doublebouncehost.s);
}

static char
submit_bounce(const struct sources *from, const struct owed *owed,
    struct bounce_answer *answer)
{
	struct span sender = owed->envelope.sender;
	enum bounce_kind kind =
	    bounce_kind_of(sender, str_span(&from->settings->doublebounceto));
	struct str to = STR_INIT;
	struct submit submit;
	char letter = 'E';

	if (kind == BOUNCE_DISCARD)
		return sender.len == 0 ? 'X' : 'T';
	if (kind == BOUNCE_DOUBLE)
		append_double_to(from, &to);
	else
		str_copy(&to, verp_base(sender));
	if (submit_open(&submit) == 0 &&
	    write_bounce(from, &submit, kind, str_span(&to), owed) == -1) {
		submit_abort(&submit);
	} else if (finish_bounce(&submit, kind, str_span(&to)) == 0) {
		answer->qp = submit.qp;
		letter = 'Q';
	}
	str_free(&submit.text);
	str_free(&to);
	return letter;
}

static void
submit_one(const struct sources *from, struct bounce_answer *answer)
{
	struct owed owed;

	if (read_owed(from, answer->id, &owed) == 0)
		answer->letter = submit_bounce(from, &owed, answer);
	free_owed(&owed);
}

/* Writes the paragraphs of what can be read, and marks it Q. Returns how
   many. */
static size_t
write_shared(const struct sources *from, struct submit *submit,
    struct bounce_answer *answers, size_t count)
{
	size_t written = 0;

	for (size_t i = 0; i < count; i++) {
		struct owed owed;

		if (read_owed(from, answers[i].id, &owed) == 0 &&
		    bounce_kind_of(owed.envelope.sender,
			str_span(&from->settings->doublebounceto)) ==
			BOUNCE_DOUBLE) {
			write_failures(from, submit, &owed);
			answers[i].letter = 'Q';
			written++;
		}
		free_owed(&owed);
	}
	return written;
}

/* Double bounces in one message. */
static void
submit_shared(
    const struct sources *from, struct bounce_answer *answers, size_t count)
{
	struct str to = STR_INIT, text = STR_INIT;
	struct submit submit;
	int code = 0;

	append_double_to(from, &to);
	bounce_append_break(&text, BOUNCE_DOUBLES, span_of(""), 0);
	if (submit_open(&submit) == 0)
		write_head(from, &submit, BOUNCE_DOUBLES, str_span(&to));
	if (write_shared(from, &submit, answers, count) == 0) {
		submit_abort(&submit);
	} else {
		write_part(&submit, &text, 0);
		code = finish_bounce(&submit, BOUNCE_DOUBLES, str_span(&to));
	}
	for (size_t i = 0; i < count; i++) {
		if (code != 0)
			answers[i].letter = 'E';
		else if (answers[i].letter == 'Q')
			answers[i].qp = submit.qp;
	}
	str_free(&submit.text);
	str_free(&to);
	str_free(&text);
}

void
bounce_submit(const struct settings *settings, int queue_dir,
    struct bounce_answer *answers, size_t count)
{
	struct sources from = {settings, queue_dir};

	if (count == 1)
		submit_one(&from, answers);
	else
		submit_shared(&from, answers, count);
}
