/*
 * done and bounce files of any bytes, as a crash may leave them, and changes
 * of the recipients: after recovery each recipient is in the state of its first
 * change or as it was, each that failed has one text, no entry is torn; and to
 * apply them all again changes nothing.
 */
#include "../fuzz.h"

#include "base/dir.h"
#include "mail/queue_file.h"
#include "queue/changes.h"

enum {
	RECIPIENTS = 5,
	CHANGES_MAX = 8,
	ID = 7,
};

static void
prepare(enum queue_kind kind, bool there, struct span bytes)
{
	struct str path = STR_INIT;

	fuzz_enter_directory();
	fuzz_make_directory(queue_kind_name[kind]);
	str_format(
	    &path, "%s/%d", queue_kind_name[kind], ID % QUEUE_FILE_SPLIT);
	fuzz_make_directory(path.s);
	queue_file_path(&path, kind, ID);
	if (there)
		fuzz_write_file(path.s, bytes);
	else
		(void)unlink(path.s);
	str_free(&path);
}

static void
load(enum queue_kind kind, struct str *to)
{
	struct str path = STR_INIT;

	queue_file_path(&path, kind, ID);
	str_clear(to);
	require(file_read(path.s, 1 << 20, to) == 0 || to->len == 0);
	str_free(&path);
}

/* Counts the entries of each recipient, and what is behind the last. */
static void
count_texts(const struct str *bounce, size_t *counts)
{
	struct span rest = str_span(bounce);
	struct queue_failure failure;

	memset(counts, 0, RECIPIENTS * sizeof(*counts));
	while (queue_failure_next(&rest, ID, &failure) == 1) {
		if (failure.recipient < RECIPIENTS)
			counts[failure.recipient]++;
	}
	require(rest.len == 0);
}

static void
check(const struct str *done, const size_t *texts, const size_t *before,
    const struct change *changes, size_t count)
{
	bool has_failed[RECIPIENTS] = {false};

	/* of a file that was too long the rest means nothing */
	require(done->len >= RECIPIENTS);
	for (size_t i = 0; i < count; i++) {
		uint32_t index = changes[i].what.index;

		if (index >= RECIPIENTS)
			continue;
		/* whoever was reported is done */
		require(done->s[index] == 'D' || done->s[index] == 'F');
		if (changes[i].type == JOURNAL_FAILED)
			has_failed[index] = true;
	}
	for (size_t i = 0; i < RECIPIENTS; i++) {
		require(texts[i] >= before[i]);
		if (!has_failed[i])
			require(texts[i] == before[i]);
		else if (before[i] == 0)
			require(texts[i] == (done->s[i] == 'F'));
		else
			require(texts[i] == before[i]);
	}
}

static size_t
read_changes(struct span *input, struct change *changes)
{
	size_t count = 0;

	while (input->len > 0 && count < CHANGES_MAX) {
		unsigned char how = fuzz_byte(input);
		struct change *one = &changes[count++];

		*one = (struct change){
		    .id = ID, .type = how & 1 ? JOURNAL_FAILED : JOURNAL_DONE};
		one->what.index = how / 4 % (RECIPIENTS + 1u);
		one->what.first = (how & 2) != 0;
		one->what.text = (struct span){"", 0};
		if (how & 1)
			one->what.text = fuzz_until(input, '\0');
	}
	return count;
}

/* What recovery keeps of the bounce file: all entries before a torn one. */
static void
count_kept(struct span bounce, size_t *counts)
{
	struct queue_failure failure;

	memset(counts, 0, RECIPIENTS * sizeof(*counts));
	while (queue_failure_next(&bounce, ID, &failure) == 1) {
		if (failure.recipient < RECIPIENTS)
			counts[failure.recipient]++;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, old_done, torn;
	struct change changes[CHANGES_MAX];
	struct str done = STR_INIT, bounce = STR_INIT, again = STR_INIT;
	struct str old_bounce = STR_INIT;
	size_t texts[RECIPIENTS], before[RECIPIENTS], count;
	unsigned char flags = fuzz_byte(&input);
	struct queue_failure failure = {
	    .recipient = flags / 4 % RECIPIENTS, .text = SPAN_LITERAL("old\n")};

	old_done = fuzz_some(&input, fuzz_byte(&input) % 8);
	torn = fuzz_some(&input, fuzz_byte(&input));
	if (flags & 128)
		queue_failure_append(&old_bounce, ID, &failure);
	str_append_span(&old_bounce, torn);
	count = read_changes(&input, changes);
	if (count == 0)
		goto done;
	prepare(QUEUE_DONE, flags & 1, old_done);
	prepare(QUEUE_BOUNCE, flags & 2, str_span(&old_bounce));
	count_kept(
	    flags & 2 ? str_span(&old_bounce) : (struct span){"", 0}, before);
	require(changes_apply(changes, count, RECIPIENTS, true) == 0);
	load(QUEUE_DONE, &done);
	load(QUEUE_BOUNCE, &bounce);
	count_texts(&bounce, texts);
	check(&done, texts, before, changes, count);
	/* recovery may be cut, and run again */
	require(changes_apply(changes, count, RECIPIENTS, true) == 0);
	load(QUEUE_DONE, &again);
	require(span_equal(str_span(&done), str_span(&again)));
	load(QUEUE_BOUNCE, &again);
	require(span_equal(str_span(&bounce), str_span(&again)));
done:
	str_free(&done);
	str_free(&bounce);
	str_free(&again);
	str_free(&old_bounce);
	return 0;
}
