/*
 * log_record - cuts a stream of log lines into records for syslog
 *
 * A record has at most LOG_RECORD_MAX bytes of a line; a longer line becomes
 * several, which share priority and time, and all but the first of which are
 * marked as continued. Bytes that are not printable ASCII become '?'. Empty
 * lines are dropped. A line starting "warning:" is a warning, "alert:" an
 * alert, any other information. Pure: bytes in, one call a record out.
 */
#ifndef ADMIN_LOG_RECORD_H
#define ADMIN_LOG_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/span.h"

enum {
	LOG_RECORD_MAX = 799,     /* bytes of a line in one record */
	LOG_RECORD_TEXT_MAX = 48, /* bytes of the stamp before them */
};

enum log_level {
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ALERT,
};

struct log_record {
	/* text ends with NUL and is valid during the call */
	void (*emit)(void *owner, enum log_level level, const char *text);
	void (*now)(struct timespec *now);
	void *owner;
	/* the module's own, at first zero */
	char bytes[LOG_RECORD_MAX];
	size_t len;
	bool continued;
	enum log_level level;
	struct timespec stamp; /* when the line reached its first record */
};

/* Takes the next bytes of the stream. */
void log_record_feed(struct log_record *record, struct span bytes);

#endif
