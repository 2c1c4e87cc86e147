/*
 * smtp_stream - a socket to a server: buffered, each wait under a deadline;
 *               used for SMTP and QMTP
 *
 * Deadlines are absolute, in clock_mono_ms; so a server that sends or takes a
 * byte now and then cannot stretch them. While it writes it also reads, so
 * that a server whose replies nobody takes does not stop taking commands.
 */
#ifndef REMOTE_SMTP_STREAM_H
#define REMOTE_SMTP_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "remote/smtp_reply.h"

enum {
	SMTP_STREAM_IN = 8 * 1024,
	SMTP_STREAM_OUT = 64 * 1024,
};

struct smtp_stream {
	int fd; /* owned; -1: closed */
	bool eof;
	size_t in_start, in_end, out_len;
	char in[SMTP_STREAM_IN];
	char out[SMTP_STREAM_OUT];
};

/* fd must not block. */
void smtp_stream_open(struct smtp_stream *stream, int fd);
void smtp_stream_close(struct smtp_stream *stream);

/* 0, or -1 with errno; after that only closing makes sense. */
MUST_USE int smtp_stream_write(
    struct smtp_stream *stream, struct span bytes, int64_t deadline_ms);
MUST_USE int smtp_stream_flush(struct smtp_stream *stream, int64_t deadline_ms);
/* What has arrived and is not used yet; smtp_stream_skip uses up len bytes of
   it. Valid until the next call. */
struct span smtp_stream_input(const struct smtp_stream *stream);
void smtp_stream_skip(struct smtp_stream *stream, size_t len);
/* Waits for more input, of which all that came before was used. 0; or -1:
   ETIMEDOUT, ECONNRESET (also for an orderly end). */
MUST_USE int smtp_stream_fill(struct smtp_stream *stream, int64_t deadline_ms);
/*
 * Reads one reply. 0; or -1: ETIMEDOUT, ECONNRESET (also for an orderly end)
 * or EPROTO if it is no reply at all (then reply->text shows what it was).
 */
MUST_USE int smtp_stream_reply(
    struct smtp_stream *stream, struct smtp_reply *reply, int64_t deadline_ms);

/* True if bytes wait that nobody asked for. */
bool smtp_stream_has_input(const struct smtp_stream *stream);
/* True if the server has closed or said something while nothing was going on:
   then the connection is of no more use. */
bool smtp_stream_is_stale(const struct smtp_stream *stream);

#endif
