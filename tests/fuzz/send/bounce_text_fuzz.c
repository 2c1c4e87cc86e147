/*
 * A bounce as a helper composes it: sender, recipients, the text of failures
 * that came with the message, a bounce file with entries of which the last may
 * be torn, and the message. It goes to the sender, or, if it is a bounce
 * itself, to the postmaster; its header cannot be added to; there is a
 * paragraph for each failure; and it ends with the message, or with whole lines
 * of it.
 * Asked for as one of several it is told of if it is a bounce, and the others,
 * which are not there, are not.
 *
 * The module is taken in whole; the queue is in memory.
 */
#include "../fuzz.h"

#include "../../../src/send/bounce_submit.c"

enum {
	ID = 7,
	RECIPIENTS_MAX = 4,
};

/* ---- a queue in the place of src/net/submit.c --------------------------- */

static struct {
	bool is_open, is_queued;
	struct str text, from, to;
} queue;

int
submit_open(struct submit *submit)
{
	*submit = (struct submit){.text = STR_INIT};
	require(!queue.is_open);
	queue.is_open = true;
	return 0;
}

void
submit_write(struct submit *submit, const char *bytes, size_t len)
{
	(void)submit;
	require(queue.is_open);
	str_append(&queue.text, bytes, len);
}

void
submit_from(struct submit *submit, struct span sender)
{
	(void)submit;
	str_copy(&queue.from, sender);
}

void
submit_to(struct submit *submit, struct span recipient)
{
	(void)submit;
	str_copy(&queue.to, recipient);
}

int
submit_finish(struct submit *submit)
{
	require(queue.is_open);
	queue.is_open = false;
	queue.is_queued = true;
	submit->qp = 9;
	return 0;
}

void
submit_abort(struct submit *submit)
{
	(void)submit;
	require(queue.is_open);
	queue.is_open = false;
}

/* ---- the message -------------------------------------------------------- */

static void
write_queue_file(enum queue_kind kind, struct span bytes)
{
	struct str path = STR_INIT;

	fuzz_make_directory(queue_kind_name[kind]);
	str_format(
	    &path, "%s/%d", queue_kind_name[kind], ID % QUEUE_FILE_SPLIT);
	fuzz_make_directory(path.s);
	queue_file_path(&path, kind, ID);
	fuzz_write_file(path.s, bytes);
	str_free(&path);
}

/* Fills the files. Returns how many entries of the bounce file count. */
static size_t
prepare(struct span *input, struct queue_envelope *envelope, struct str *env,
    struct span *mess)
{
	struct str bounce = STR_INIT;
	size_t count = fuzz_byte(input) % (RECIPIENTS_MAX + 1u), failures = 0;

	*envelope = (struct queue_envelope){.birth_s = 1, .origin = {"", 0}};
	envelope->sender = fuzz_until(input, '\0');
	envelope->failures = fuzz_until(input, '\0');
	if (envelope->failures.len > 0)
		envelope->origin = SPAN_LITERAL("key/1");
	*mess = fuzz_until(input, '\377');
	envelope->size_bytes = mess->len;
	queue_envelope_append_head(env, envelope);
	for (size_t i = 0; i < count; i++)
		queue_envelope_append_recipient(env, fuzz_until(input, '\0'));
	queue_envelope_append_end(env, 0);
	while (input->len > 1 && failures < 8) {
		struct queue_failure failure = {
		    .recipient = fuzz_byte(input) % 6u};

		if (failure.recipient == 5)
			break; /* what is left is torn */
		failure.text = fuzz_until(input, '\0');
		queue_failure_append(&bounce, ID, &failure);
		failures += failure.recipient < count;
	}
	str_append_span(&bounce, *input);
	write_queue_file(QUEUE_ENV, str_span(env));
	write_queue_file(QUEUE_MESS, *mess);
	write_queue_file(QUEUE_BOUNCE, str_span(&bounce));
	str_free(&bounce);
	return failures;
}

/* ---- the bounce --------------------------------------------------------- */

/* What the copy is: all of the message, or whole lines of it, unless the first
   one alone is too long. */
static struct span
want_copy(struct span mess, uint64_t max)
{
	size_t end;

	if (max == 0 || mess.len <= max)
		return mess;
	mess = span_until(mess, (size_t)max);
	end = span_find_last(mess, '\n');
	return end == SPAN_NONE ? mess : span_until(mess, end + 1);
}

static void
check(const struct settings *settings, const struct queue_envelope *envelope,
    struct span mess, size_t failures)
{
	struct span text = str_span(&queue.text);
	struct span copy = want_copy(mess, settings->bounce_max_bytes);

	if (envelope->sender.len == 0) {
		require(span_is(str_span(&queue.from), "#@[]"));
		require(span_is(str_span(&queue.to), "post@host"));
	} else {
		require(queue.from.len == 0);
		require(span_equal(
		    str_span(&queue.to), verp_base(envelope->sender)));
	}
	require(text.len > copy.len + 2);
	require(span_equal(copy, span_from(text, text.len - copy.len)));
	text = span_until(text, text.len - copy.len);
	require(memcmp(text.s + text.len - 2, ">\n", 2) == 0);
	require(fuzz_count(text, '<') >= failures);
}

static void
clear_queue(void)
{
	str_free(&queue.text);
	str_free(&queue.from);
	str_free(&queue.to);
	queue.is_open = queue.is_queued = false;
	queue.text = queue.from = queue.to = (struct str)STR_INIT;
}

/* As one of several. */
static void
check_shared(const struct settings *settings, int queue_dir,
    const struct queue_envelope *envelope, size_t failures)
{
	static const char end[] =
	    "--- The bounces themselves are not returned.\n";
	struct bounce_answer answers[] = {{.letter = 'E', .id = ID - 1},
	    {.letter = 'E', .id = ID}, {.letter = 'E', .id = ID + 1}};
	struct span text;

	clear_queue();
	bounce_submit(settings, queue_dir, answers, COUNT(answers));
	require(!queue.is_open);
	require(answers[0].letter == 'E' && answers[2].letter == 'E');
	require((answers[1].letter == 'Q') == queue.is_queued);
	if (!queue.is_queued)
		return;
	text = str_span(&queue.text);
	require(envelope->sender.len == 0);
	require(span_is(str_span(&queue.from), "#@[]"));
	require(span_is(str_span(&queue.to), "post@host"));
	require(text.len > sizeof(end));
	require(span_is(span_from(text, text.len - (sizeof(end) - 1)), end));
	require(fuzz_count(text, '<') >= failures);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct settings settings = SETTINGS_INIT;
	static int queue_dir = -1;
	struct span input = {(const char *)data, size}, mess;
	struct bounce_answer answer = {.letter = 'E', .id = ID};
	struct queue_envelope envelope;
	struct str env = STR_INIT;
	size_t failures;

	fuzz_enter_directory();
	if (queue_dir == -1) {
		queue_dir = open(".", O_RDONLY | O_DIRECTORY);
		require(queue_dir != -1);
		str_append_cstr(&settings.bouncefrom, "MAILER-DAEMON");
		str_append_cstr(&settings.bouncehost, "host");
		str_append_cstr(&settings.doublebounceto, "post");
		str_append_cstr(&settings.doublebouncehost, "host");
		require(control_list_of(SPAN_LITERAL("here"),
			    &settings.tables.locals) == 0);
	}
	clear_queue();
	settings.bounce_max_bytes = fuzz_byte(&input);
	failures = prepare(&input, &envelope, &env, &mess);
	bounce_submit(&settings, queue_dir, &answer, 1);
	require(!queue.is_open);
	require(answer.letter == 'Q' || answer.letter == 'E' ||
	    answer.letter == 'T');
	require((answer.letter == 'Q') == queue.is_queued);
	require((answer.letter == 'T') ==
	    (span_is(envelope.sender, "#@[]") && answer.letter != 'E'));
	if (queue.is_queued) {
		check(&settings, &envelope, mess, failures);
		/* it has all that it takes to be told of with others */
		check_shared(&settings, queue_dir, &envelope, failures);
		require(queue.is_queued == (envelope.sender.len == 0));
	}
	clear_queue();
	str_free(&env);
	return 0;
}
