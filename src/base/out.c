#include "base/out.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/num.h"

void
out_init(struct out *a, int fd, unsigned timeout_s, char *buf, size_t size)
{
	*a = (struct out){
	    .fd = fd, .timeout_s = timeout_s, .buf = buf, .size = size};
}

static void
write_through(struct out *a, const char *bytes, size_t len)
{
	if (a->error == 0 &&
	    fd_write_timeout(a->fd, bytes, len, a->timeout_s) == -1)
		a->error = errno;
}

int
out_flush(struct out *a)
{
	if (a->len > 0)
		write_through(a, a->buf, a->len);
	a->len = 0;
	if (a->error != 0) {
		errno = a->error;
		return -1;
	}
	return 0;
}

void
out_write(struct out *a, const char *bytes, size_t len)
{
	if (len > a->size - a->len) {
		/* fill the buffer first, so that whole buffers leave */
		size_t part = a->size - a->len;

		memcpy(a->buf + a->len, bytes, part);
		a->len += part;
		bytes += part;
		len -= part;
		write_through(a, a->buf, a->len);
		a->len = 0;
		if (len >= a->size) {
			write_through(a, bytes, len);
			return;
		}
	}
	if (len > 0)
		memcpy(a->buf + a->len, bytes, len);
	a->len += len;
}

void
out_cstr(struct out *a, const char *cstr)
{
	out_write(a, cstr, strlen(cstr));
}

void
out_span(struct out *a, struct span b)
{
	out_write(a, b.s, b.len);
}

void
out_u64(struct out *a, uint64_t number)
{
	char room[NUM_DIGITS];

	out_span(a, num_format(room, number));
}
