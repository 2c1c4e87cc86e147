/*
 * qmqp_client - gives one message to a QMQP server and brings its answer
 * Source: D. J. Bernstein, "Quick Mail Queueing Protocol".
 */
#ifndef INJECT_QMQP_CLIENT_H
#define INJECT_QMQP_CLIENT_H

#include "base/attr.h"
#include "base/span.h"
#include "inject/qmqp_server.h"
#include "net/outgoing.h"

enum {
	QMQP_CONNECT_S = 10,     /* to come to a server, or timeout_s if less */
	QMQP_TIMEOUT_S = 60,     /* without control/timeoutqmqpc */
	QMQP_ANSWER_MAX = 10000, /* bytes of an answer that are looked at */
};

/* What came of it; the numbers are exit codes of qmail-queue. */
enum qmqp_result {
	QMQP_QUEUED = 0,
	QMQP_REFUSED = 31,   /* D: never */
	QMQP_DEFERRED = 71,  /* Z: later */
	QMQP_NO_SOCKET = 56, /* this machine could not try */
	QMQP_NO_TIME = 72,   /* no connection in time */
	QMQP_NO_CONNECTION = 73,
	QMQP_BROKEN = 74, /* the server answered, but not with a verdict */
	QMQP_SILENT = -1, /* the connection broke before an answer */
};

/*
 * request: three pieces, the head, the message and the addresses, which are
 * one netstring when they follow each other. timeout_s: for each wait, at
 * least 1. After QMQP_SILENT, and after those results that say that there was
 * no connection, another server may be asked: nobody has answered for the
 * message, and at worst it comes twice.
 */
MUST_USE enum qmqp_result qmqp_client_send(const struct qmqp_server *server,
    const struct span request[3], const struct outgoing *outgoing,
    unsigned timeout_s);

#endif
