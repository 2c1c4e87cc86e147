#include "inject/qmqp_client.h"

#include <errno.h>

#include "base/fd.h"

static enum qmqp_result
connect_failed(int error)
{
	switch (error) {
	case ETIMEDOUT:
		return QMQP_NO_TIME;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
		return QMQP_NO_SOCKET;
	default:
		return QMQP_NO_CONNECTION;
	}
}

/* The verdict is the first K, Z or D, as in qmail: in front of it there is but
   the length. */
static enum qmqp_result
find_verdict(struct span answer)
{
	for (size_t i = 0; i < answer.len; i++) {
		if (answer.s[i] == 'K')
			return QMQP_QUEUED;
		if (answer.s[i] == 'Z')
			return QMQP_DEFERRED;
		if (answer.s[i] == 'D')
			return QMQP_REFUSED;
	}
	return QMQP_BROKEN;
}

static enum qmqp_result
read_answer(int fd, unsigned timeout_s)
{
	char buf[256];
	size_t seen = 0;

	while (seen < QMQP_ANSWER_MAX) {
		ssize_t got = fd_read_timeout(fd, buf, sizeof(buf), timeout_s);
		enum qmqp_result result;

		if (got <= 0)
			return seen == 0 ? QMQP_SILENT : QMQP_BROKEN;
		seen += (size_t)got;
		result = find_verdict((struct span){buf, (size_t)got});
		if (result != QMQP_BROKEN)
			return result;
	}
	return QMQP_BROKEN;
}

enum qmqp_result
qmqp_client_send(const struct qmqp_server *server, const struct span request[3],
    const struct outgoing *outgoing, unsigned timeout_s)
{
	unsigned connect_s =
	    timeout_s < QMQP_CONNECT_S ? timeout_s : QMQP_CONNECT_S;
	int fd =
	    outgoing_connect(outgoing, &server->ip, server->port, connect_s);
	enum qmqp_result result;
	int sent = 0;

	if (fd == -1)
		return connect_failed(errno);
	for (size_t i = 0; i < 3 && sent == 0; i++)
		sent = fd_write_timeout(
		    fd, request[i].s, request[i].len, timeout_s);
	/* a server may refuse before it has seen everything, and close or
	   read no more; its words are here already then */
	result = read_answer(fd, sent == -1 ? 1 : timeout_s);
	/* but it cannot have queued what it has not got */
	if (sent == -1 && result == QMQP_QUEUED)
		result = QMQP_BROKEN;
	fd_close(fd);
	return result;
}
