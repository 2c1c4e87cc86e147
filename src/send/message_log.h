/*
 * message_log - the lines of qmail-send's log, word for word
 *
 * Lines are collected and written by message_log_flush, once a turn of the
 * loop. Bytes from outside are made safe as qmail-log(5) says. A failed write
 * loses lines but stops nobody.
 */
#ifndef SEND_MESSAGE_LOG_H
#define SEND_MESSAGE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "conf/classify.h"

struct message_log {
	int fd;
	struct str lines;
};

struct message_log_info {
	uint64_t id, bytes, qp, uid;
	struct span sender;
};

struct message_log_status {
	unsigned long running[CHANNELS], max[CHANNELS];
	bool exiting; /* " exitasap" */
};

void message_log_init(struct message_log *log, int fd);
void message_log_flush(struct message_log *log);

void message_log_new(struct message_log *log, uint64_t id);
void message_log_info(
    struct message_log *log, const struct message_log_info *info);
void message_log_status(
    struct message_log *log, const struct message_log_status *status);
void message_log_start(struct message_log *log, uint64_t delivery, uint64_t id,
    enum channel_kind channel, struct span recipient);
/* letter: K success, D failure, Z deferral */
void message_log_result(
    struct message_log *log, uint64_t delivery, char letter, struct span text);
void message_log_mangled(struct message_log *log, uint64_t delivery);
void message_log_bounce(struct message_log *log, uint64_t id, uint64_t qp);
/* which: "triple" or "double" */
void message_log_discard(
    struct message_log *log, const char *which, uint64_t id);
void message_log_end(struct message_log *log, uint64_t id);
/* "warning: ..." or "alert: ..." or any other line; of our own words only. */
void message_log_text(struct message_log *log, const char *format, ...)
    PRINTF_LIKE(2, 3);

#endif
