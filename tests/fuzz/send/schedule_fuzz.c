/*
 * Messages that come, go and become due, against a plain list: the one that is
 * due first is the one with the least time, in each of the three heaps; and a
 * message is tried again later than now, and not sooner the older it is.
 */
#include "../fuzz.h"

#include "send/schedule.h"

enum {
	IDS = 24,
};

static struct schedule schedule;
static struct {
	struct message *message; /* NULL: not there */
	bool is_in[SCHEDULE_HEAPS];
} known[IDS];

static void
check_first(enum schedule_heap heap)
{
	const struct message *first = schedule_first(&schedule, heap);
	size_t count = 0;

	for (size_t i = 0; i < IDS; i++) {
		if (known[i].message == NULL || !known[i].is_in[heap])
			continue;
		count++;
		require(first != NULL);
		require(schedule_due(&schedule, known[i].message, heap) >=
		    schedule_due(&schedule, first, heap));
	}
	require((first == NULL) == (count == 0));
	require(schedule.heaps[heap].count == count);
}

static void
happen(unsigned char what, struct span *input)
{
	uint64_t id = fuzz_byte(input) % IDS;
	enum schedule_heap heap =
	    (enum schedule_heap)(what / 8 % SCHEDULE_HEAPS);
	struct message *message = known[id].message;
	int64_t when_s = (int64_t)(fuzz_number(input) >> 32);

	require(schedule_find(&schedule, id + 1) == message);
	if (message == NULL) {
		known[id].message = schedule_add(&schedule, id + 1);
		require(known[id].message != NULL);
		memset(known[id].is_in, 0, sizeof(known[id].is_in));
		return;
	}
	switch (what % 8) {
	case 0:
		schedule_remove(&schedule, message);
		known[id].message = NULL;
		break;
	case 1:
		schedule_unset(&schedule, message, heap);
		known[id].is_in[heap] = false;
		break;
	case 2:
		schedule_flush(&schedule, when_s);
		break;
	case 3:
		schedule_shift(&schedule, when_s % 100000);
		break;
	default:
		schedule_set_due(&schedule, message, heap, when_s);
		known[id].is_in[heap] = true;
		require(schedule_due(&schedule, message, heap) == when_s);
	}
}

static void
check_times(struct span *input)
{
	int64_t birth_s = (int64_t)(fuzz_number(input) >> 32);
	int64_t now_s = (int64_t)(fuzz_number(input) >> 32);

	for (int channel = 0; channel < CHANNELS; channel++) {
		enum channel_kind kind = (enum channel_kind)channel;
		int64_t next_s = schedule_next(birth_s, now_s, kind);

		int64_t resume_s = schedule_resume(birth_s, now_s, kind);

		require(next_s > now_s);
		/* a restart brings nothing forward but what is young */
		require(resume_s <= now_s ? now_s - birth_s < SCHEDULE_FRESH_S
					  : resume_s <= next_s);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};

	schedule = (struct schedule)SCHEDULE_INIT;
	memset(known, 0, sizeof(known));
	check_times(&input);
	while (input.len > 0) {
		unsigned char what = fuzz_byte(&input);

		happen(what, &input);
		for (int heap = 0; heap < SCHEDULE_HEAPS; heap++)
			check_first((enum schedule_heap)heap);
	}
	schedule_free(&schedule);
	return 0;
}
