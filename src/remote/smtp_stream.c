#include "remote/smtp_stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"

void
smtp_stream_open(struct smtp_stream *stream, int fd)
{
	stream->fd = fd;
	stream->eof = false;
	stream->in_start = stream->in_end = stream->out_len = 0;
}

void
smtp_stream_close(struct smtp_stream *stream)
{
	fd_close(stream->fd);
	stream->fd = -1;
}

/* Waits for events. Returns those that came, or -1 with errno. */
static int
wait_events(int fd, short events, int64_t deadline_ms)
{
	struct pollfd item = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = deadline_ms - clock_mono_ms();
		int ready;

		if (left > 1000000000)
			left = 1000000000;
		ready = poll(&item, 1, left > 0 ? (int)left : 0);
		if (ready > 0)
			return item.revents;
		if (ready == 0 && left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (ready == -1 && errno != EINTR)
			return -1;
	}
}

/* Takes what has arrived, without waiting. 0, or -1 with errno. */
static int
take_input(struct smtp_stream *stream)
{
	ssize_t got;

	if (stream->in_start > 0) {
		memmove(stream->in, stream->in + stream->in_start,
		    stream->in_end - stream->in_start);
		stream->in_end -= stream->in_start;
		stream->in_start = 0;
	}
	do
		got = recv(stream->fd, stream->in + stream->in_end,
		    sizeof(stream->in) - stream->in_end, MSG_DONTWAIT);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
	if (got == 0)
		stream->eof = true;
	stream->in_end += (size_t)got;
	return 0;
}

static bool
has_room(const struct smtp_stream *stream)
{
	return !stream->eof &&
	    stream->in_end - stream->in_start < sizeof(stream->in);
}

int
smtp_stream_flush(struct smtp_stream *stream, int64_t deadline_ms)
{
	size_t sent = 0;

	while (sent < stream->out_len) {
		ssize_t put = send(stream->fd, stream->out + sent,
		    stream->out_len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		int events;

		if (put > 0) {
			sent += (size_t)put;
			continue;
		}
		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
			return -1;
		events = wait_events(stream->fd,
		    (short)(has_room(stream) ? POLLOUT | POLLIN : POLLOUT),
		    deadline_ms);
		if (events == -1)
			return -1;
		if ((events & POLLIN) && take_input(stream) == -1)
			return -1;
	}
	stream->out_len = 0;
	return 0;
}

int
smtp_stream_write(
    struct smtp_stream *stream, struct span bytes, int64_t deadline_ms)
{
	while (bytes.len > 0) {
		size_t part = sizeof(stream->out) - stream->out_len;

		if (part > bytes.len)
			part = bytes.len;
		memcpy(stream->out + stream->out_len, bytes.s, part);
		stream->out_len += part;
		bytes = span_from(bytes, part);
		if (stream->out_len == sizeof(stream->out) &&
		    smtp_stream_flush(stream, deadline_ms) == -1)
			return -1;
	}
	return 0;
}

struct span
smtp_stream_input(const struct smtp_stream *stream)
{
	return (struct span){
	    stream->in + stream->in_start, stream->in_end - stream->in_start};
}

void
smtp_stream_skip(struct smtp_stream *stream, size_t len)
{
	stream->in_start += len;
}

int
smtp_stream_fill(struct smtp_stream *stream, int64_t deadline_ms)
{
	if (stream->eof) {
		errno = ECONNRESET;
		return -1;
	}
	if (wait_events(stream->fd, POLLIN, deadline_ms) == -1 ||
	    take_input(stream) == -1)
		return -1;
	/* a flood keeps poll from ever timing out */
	if (clock_mono_ms() > deadline_ms) {
		errno = ETIMEDOUT;
		return -1;
	}
	return 0;
}

int
smtp_stream_reply(
    struct smtp_stream *stream, struct smtp_reply *reply, int64_t deadline_ms)
{
	smtp_reply_reset(reply);
	for (;;) {
		struct span have = smtp_stream_input(stream);
		size_t len = have.len;
		enum smtp_reply_event event = smtp_reply_feed(reply, &have);

		smtp_stream_skip(stream, len - have.len);
		if (event == SMTP_REPLY_DONE)
			return 0;
		if (event == SMTP_REPLY_BROKEN) {
			errno = EPROTO;
			return -1;
		}
		if (smtp_stream_fill(stream, deadline_ms) == -1)
			return -1;
	}
}

bool
smtp_stream_has_input(const struct smtp_stream *stream)
{
	return stream->in_start < stream->in_end;
}

bool
smtp_stream_is_stale(const struct smtp_stream *stream)
{
	return stream->eof || smtp_stream_has_input(stream) ||
	    fd_wait_readable(stream->fd, 0) != 0;
}
