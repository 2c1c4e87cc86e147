#include "mail/netstring.h"

#include <assert.h>
#include <limits.h>

#include "base/num.h"

ssize_t
netstring_decode(const char *buf, size_t len, size_t max, struct span *body)
{
	size_t i, size = 0;

	assert(max <= SSIZE_MAX / 16);
	for (i = 0; i < len && buf[i] >= '0' && buf[i] <= '9'; i++) {
		if (i > 0 && size == 0)
			return NETSTRING_INVALID; /* "05": one spelling only */
		size = size * 10 + (size_t)(buf[i] - '0');
		if (size > max) /* checked per digit, so size cannot wrap */
			return NETSTRING_TOO_BIG;
	}
	if (i == len)
		return NETSTRING_MORE;
	if (i == 0 || buf[i] != ':')
		return NETSTRING_INVALID;
	i++;
	if (len - i <= size) /* the payload or its comma is still to come */
		return NETSTRING_MORE;
	if (buf[i + size] != ',')
		return NETSTRING_INVALID;
	*body = (struct span){buf + i, size};
	return (ssize_t)(i + size + 1);
}

int
netstring_take(struct span *rest, struct span *body)
{
	ssize_t used =
	    netstring_decode(rest->s, rest->len, SSIZE_MAX / 16, body);

	if (used <= 0)
		return -1;
	*rest = span_from(*rest, (size_t)used);
	return 0;
}

int
netstring_take_u64(struct span *rest, uint64_t *number)
{
	struct span body;

	if (netstring_take(rest, &body) == -1)
		return -1;
	return num_parse_u64(body, number);
}

void
netstring_append(struct str *to, struct span body)
{
	str_append_u64(to, body.len);
	str_append_char(to, ':');
	str_append_span(to, body);
	str_append_char(to, ',');
}

void
netstring_append_u64(struct str *to, uint64_t number)
{
	char room[NUM_DIGITS];

	netstring_append(to, num_format(room, number));
}
