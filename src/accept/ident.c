#include "accept/ident.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "net/connect.h"

static bool
is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* Letters, digits and what names are made of: nothing that a shell that gets
   the variable could take for more than text. */
static bool
is_safe(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	    (byte >= '0' && byte <= '9') ||
	    (byte != '\0' && strchr("._-+@%/=:,[]", byte) != NULL);
}

static struct span
trim(struct span a)
{
	while (a.len > 0 && is_blank(a.s[0]))
		a = span_from(a, 1);
	while (a.len > 0 && is_blank(a.s[a.len - 1]))
		a.len--;
	return a;
}

/* Takes what comes before the byte off *rest; false if it is not there. */
static bool
take_until(struct span *rest, char byte, struct span *part)
{
	size_t at = span_find(*rest, byte);

	if (at == SPAN_NONE)
		return false;
	*part = trim(span_until(*rest, at));
	*rest = span_from(*rest, at + 1);
	return true;
}

static bool
is_port(struct span text, unsigned port)
{
	uint64_t number;

	return num_parse_u64(text, &number) == 0 && number == port;
}

bool
ident_parse(struct span reply, const struct ident_pair *pair, struct str *user)
{
	struct span ports, remote, word, system;
	size_t end = 0;

	while (end < reply.len && reply.s[end] != '\r' &&
	    reply.s[end] != '\n' && reply.s[end] != '\0')
		end++;
	reply = span_until(reply, end);
	if (!take_until(&reply, ':', &ports) ||
	    !take_until(&ports, ',', &remote) ||
	    !is_port(remote, pair->remote_port) ||
	    !is_port(trim(ports), pair->local_port))
		return false;
	if (!take_until(&reply, ':', &word) ||
	    !span_equal_nocase(word, SPAN_LITERAL("USERID")) ||
	    !take_until(&reply, ':', &system))
		return false;
	reply = trim(reply);
	if (reply.len == 0 || reply.len > IDENT_USER_MAX)
		return false;
	str_clear(user);
	for (size_t i = 0; i < reply.len; i++)
		str_append_char(user, is_safe(reply.s[i]) ? reply.s[i] : '?');
	return true;
}

/* Sends the question: some bytes, which a new connection always takes. */
static bool
send_question(int fd, const struct ident_pair *pair, unsigned timeout_s)
{
	struct str question = STR_INIT;
	bool sent;

	str_format(
	    &question, "%u , %u\r\n", pair->remote_port, pair->local_port);
	sent = fd_write_timeout(fd, question.s, question.len, timeout_s) == 0;
	str_free(&question);
	return sent;
}

/* Reads until a line, or the end, is there. Returns its length; 0: none. */
static size_t
read_reply(int fd, int64_t deadline_ms, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size && memchr(buf, '\n', len) == NULL) {
		int64_t left = deadline_ms - clock_mono_ms();
		ssize_t got;

		if (left <= 0 || fd_wait_readable(fd, (int)left) != 1)
			return 0;
		got = read(fd, buf + len, size - len);
		if (got == -1 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got == -1)
			return 0;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return len;
}

bool
ident_ask(const struct ident_pair *pair, unsigned timeout_s, struct str *user)
{
	char reply[IDENT_REPLY_MAX];
	int64_t deadline_ms = clock_mono_ms() + (int64_t)timeout_s * 1000;
	/* from the address that the client knows: its host tells pairs by it */
	int fd = connect_tcp_from(
	    &pair->local, &pair->remote, IDENT_PORT, timeout_s);
	bool found = false;
	size_t len;

	if (fd == -1)
		return false;
	if (send_question(fd, pair, timeout_s)) {
		len = read_reply(fd, deadline_ms, reply, sizeof(reply));
		found = ident_parse((struct span){reply, len}, pair, user);
	}
	fd_close(fd);
	return found;
}
