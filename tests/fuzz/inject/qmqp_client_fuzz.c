/*
 * One message to a QMQP server that has said what the input says, and closed;
 * the first byte says whether there is a connection at all, and whether the
 * server takes the request. Only a K of a server that has all is a success.
 */
#include "../fuzz.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "inject/qmqp_client.h"
#include "net/connect.h"

static struct span answer;
static unsigned char how;
static int server;

/* ---- connections in the place of src/net/connect.c ---------------------- */

int
connect_tcp(const struct ip *ip, unsigned port, unsigned timeout_s)
{
	static const int errors[] = {ETIMEDOUT, ECONNREFUSED, EMFILE, ENETDOWN};
	int ends[2];

	require(ip->version == 4 && port == QMQP_PORT && timeout_s > 0);
	if ((how & 1) != 0) {
		errno = errors[how >> 2 & 3];
		return -1;
	}
	require(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	server = ends[1];
	require(send(server, answer.s, answer.len, 0) == (ssize_t)answer.len);
	require(shutdown(server, SHUT_WR) == 0);
	if ((how & 2) != 0)
		require(shutdown(server, SHUT_RD) == 0);
	return ends[0];
}

int
connect_tcp_from(const struct ip *from, const struct ip *ip, unsigned port,
    unsigned timeout_s)
{
	(void)from;
	return connect_tcp(ip, port, timeout_s);
}

bool
connect_has_route(const struct ip *ip)
{
	(void)ip;
	return true;
}

/* ---- the conversation --------------------------------------------------- */

static bool
has_request(const struct span request[3])
{
	char buf[64];
	size_t want = 0, at = 0;
	ssize_t got = recv(server, buf, sizeof(buf), MSG_DONTWAIT);

	for (size_t i = 0; i < 3; i++)
		want += request[i].len;
	if (got != (ssize_t)want)
		return false;
	for (size_t i = 0; i < 3; i++) {
		require(memcmp(buf + at, request[i].s, request[i].len) == 0);
		at += request[i].len;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct span request[3] = {
	    {"15:3:", 5}, {"a\nb,", 4}, {"1:f,1:t,,", 9}};
	struct qmqp_server to = {
	    {.version = 4, .bytes = {127, 0, 0, 1}}, QMQP_PORT};
	struct outgoing outgoing = OUTGOING_INIT;
	enum qmqp_result result;
	bool is_there;

	(void)signal(SIGPIPE, SIG_IGN);
	answer = (struct span){(const char *)data, size};
	how = fuzz_byte(&answer);
	answer = fuzz_some(&answer, 60000); /* what a socket has room for */
	server = -1;
	result = qmqp_client_send(&to, request, &outgoing, 5);
	is_there = server != -1 && has_request(request);
	if (result == QMQP_QUEUED)
		require(is_there && span_find(answer, 'K') != SPAN_NONE);
	if (result == QMQP_SILENT)
		require(server != -1 && answer.len == 0);
	if (result == QMQP_REFUSED)
		require(span_find(answer, 'D') != SPAN_NONE);
	if (result == QMQP_DEFERRED)
		require(span_find(answer, 'Z') != SPAN_NONE);
	require((server == -1) ==
	    (result == QMQP_NO_TIME || result == QMQP_NO_CONNECTION ||
		result == QMQP_NO_SOCKET));
	if (server != -1)
		require(close(server) == 0);
	return 0;
}
