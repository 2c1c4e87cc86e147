#include "base/in.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

void
in_init(struct in *a, int fd, unsigned timeout_s, char *buf, size_t size)
{
	*a = (struct in){
	    .fd = fd, .timeout_s = timeout_s, .buf = buf, .size = size};
}

void
in_time(struct in *a)
{
	a->is_timed = fd_time_reads(a->fd, a->timeout_s);
	a->is_endless = !a->is_timed && a->timeout_s == 0;
}

static ssize_t
read_once(struct in *a)
{
	char *to = a->buf + a->end;
	size_t room = a->size - a->end;
	ssize_t got;

	if (a->is_timed)
		return fd_read_timed(a->fd, to, room, a->timeout_s);
	if (!a->is_endless)
		return fd_read_timeout(a->fd, to, room, a->timeout_s);
	do
		got = read(a->fd, to, room);
	while (got == -1 && errno == EINTR);
	/* it does not block: then it is waited for */
	return got == -1 && errno == EAGAIN
	    ? fd_read_timeout(a->fd, to, room, 0)
	    : got;
}

int
in_more(struct in *a)
{
	ssize_t got;

	if (a->error != 0) {
		errno = a->error;
		return -1;
	}
	if (a->eof)
		return 0;
	if (a->start > 0) {
		memmove(a->buf, a->buf + a->start, a->end - a->start);
		a->end -= a->start;
		a->start = 0;
	}
	if (a->end == a->size) {
		errno = ENOBUFS;
		return 0;
	}
	if (a->tied != NULL && out_flush(a->tied) == -1)
		goto fail;
	got = read_once(a);
	if (got == -1)
		goto fail;
	if (got == 0) {
		a->eof = true;
		errno = 0;
		return 0;
	}
	a->end += (size_t)got;
	return 1;
fail:
	a->error = errno;
	return -1;
}

int
in_fill(struct in *a)
{
	return a->start < a->end ? 1 : in_more(a);
}

struct span
in_buffered(const struct in *a)
{
	return (struct span){a->buf + a->start, a->end - a->start};
}

void
in_skip(struct in *a, size_t len)
{
	assert(len <= a->end - a->start);
	a->start += len;
}

ssize_t
in_read(struct in *a, char *to, size_t len)
{
	int filled = in_fill(a);

	if (filled != 1)
		return filled;
	if (len > a->end - a->start)
		len = a->end - a->start;
	memcpy(to, a->buf + a->start, len);
	a->start += len;
	return (ssize_t)len;
}

int
in_read_full(struct in *a, char *to, size_t len)
{
	while (len > 0) {
		ssize_t got = in_read(a, to, len);

		if (got <= 0)
			return (int)got;
		to += got;
		len -= (size_t)got;
	}
	return 1;
}

int
in_byte(struct in *a)
{
	if (in_fill(a) != 1)
		return -1;
	return (unsigned char)a->buf[a->start++];
}

int
in_line(struct in *a, struct str *line, size_t max)
{
	str_clear(line);
	for (;;) {
		int filled = in_fill(a);
		struct span have;
		size_t at;

		if (filled == -1)
			return IN_ERROR;
		if (filled == 0)
			return line->len > 0 ? 1 : IN_EOF;
		have = in_buffered(a);
		at = span_find(have, '\n');
		if (at != SPAN_NONE)
			have = span_until(have, at + 1);
		if (have.len > max - line->len) {
			have = span_until(have, max - line->len);
			str_append_span(line, have);
			in_skip(a, have.len);
			return IN_TOO_LONG;
		}
		str_append_span(line, have);
		in_skip(a, have.len);
		if (at != SPAN_NONE)
			return 1;
	}
}
