/*
 * A stream of log lines in pieces as the first byte says: the records hold all
 * of its bytes in their order, each within its limit, whatever the pieces.
 */
#include "../fuzz.h"

#include "admin/log_record.h"
#include "base/str.h"

struct seen {
	struct str text; /* of all records, a line end before each new line */
	size_t count;
};

static void
set_now(struct timespec *now)
{
	*now = (struct timespec){.tv_sec = 1, .tv_nsec = 999999999};
}

static void
see(void *owner, enum log_level level, const char *text)
{
	static const char stamp[] = "1.999999";
	struct seen *seen = owner;
	struct span record = span_of(text);

	require(record.len > sizeof(stamp) &&
	    record.len <= LOG_RECORD_MAX + LOG_RECORD_TEXT_MAX);
	require(memcmp(record.s, stamp, sizeof(stamp) - 1) == 0);
	require(fuzz_is_printable(record));
	record = span_from(record, sizeof(stamp) - 1);
	require(record.s[0] == '+' || record.s[0] == ' ');
	require(record.len - 1 <= LOG_RECORD_MAX);
	if (record.s[0] == ' ') {
		str_append_char(&seen->text, '\n');
		require((level == LOG_LEVEL_ALERT) ==
		    (strncmp(record.s + 1, "alert:", 6) == 0));
		require((level == LOG_LEVEL_WARNING) ==
		    (strncmp(record.s + 1, "warning:", 8) == 0));
	}
	str_append_span(&seen->text, span_from(record, 1));
	seen->count++;
}

static void
feed(struct seen *seen, struct span input, size_t step)
{
	struct log_record record = {.emit = see, .now = set_now, .owner = seen};

	while (input.len > 0)
		log_record_feed(&record, fuzz_some(&input, step));
	log_record_feed(&record, SPAN_LITERAL("\n"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct seen whole = {STR_INIT, 0}, pieces = {STR_INIT, 0};
	struct str want = STR_INIT;
	size_t step = fuzz_byte(&input) + 1u;

	feed(&whole, input, SIZE_MAX);
	feed(&pieces, input, step);
	require(span_equal(str_span(&whole.text), str_span(&pieces.text)));
	require(whole.count == pieces.count);
	while (input.len > 0) {
		struct span line = fuzz_until(&input, '\n');

		if (line.len > 0)
			str_append_char(&want, '\n');
		for (size_t i = 0; i < line.len; i++)
			str_append_char(&want,
			    line.s[i] >= 32 && line.s[i] <= 126 ? line.s[i]
								: '?');
	}
	require(span_equal(str_span(&want), str_span(&whole.text)));
	str_free(&want);
	str_free(&whole.text);
	str_free(&pieces.text);
	return 0;
}
