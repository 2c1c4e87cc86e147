#include "admin/log_record.h"

#include <stdio.h>

#include "base/attr.h"

static enum log_level
level_of(struct span line)
{
	static const struct {
		const char *start;
		enum log_level level;
	} starts[] = {
	    {"warning:", LOG_LEVEL_WARNING},
	    {"alert:", LOG_LEVEL_ALERT},
	};

	for (size_t i = 0; i < COUNT(starts); i++) {
		struct span start = span_of(starts[i].start);

		if (line.len >= start.len &&
		    span_equal(span_until(line, start.len), start))
			return starts[i].level;
	}
	return LOG_LEVEL_INFO;
}

static void
emit(struct log_record *record)
{
	char text[LOG_RECORD_TEXT_MAX + LOG_RECORD_MAX + 1];

	if (!record->continued) {
		record->level =
		    level_of((struct span){record->bytes, record->len});
		record->now(&record->stamp);
	}
	(void)snprintf(text, sizeof(text), "%lld.%06ld%c%.*s",
	    (long long)record->stamp.tv_sec, record->stamp.tv_nsec / 1000,
	    record->continued ? '+' : ' ', (int)record->len, record->bytes);
	record->emit(record->owner, record->level, text);
	record->len = 0;
	record->continued = true;
}

static void
feed_byte(struct log_record *record, char byte)
{
	if (byte == '\n') {
		if (record->len > 0)
			emit(record);
		record->continued = false;
		return;
	}
	if (record->len == LOG_RECORD_MAX)
		emit(record);
	record->bytes[record->len++] = byte >= 32 && byte <= 126 ? byte : '?';
}

void
log_record_feed(struct log_record *record, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		feed_byte(record, bytes.s[i]);
}
