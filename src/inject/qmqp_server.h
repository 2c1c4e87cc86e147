/*
 * qmqp_server - one line of control/qmqpservers: where a server listens
 *
 * "192.0.2.1", "2001:db8::1", "[2001:db8::1]"; the first and the last also
 * with ":port". What follows an IPv4 address or a space is ignored, as qmail
 * does. Names are not looked up: a line that starts with none of these is no
 * server. Pure.
 */
#ifndef INJECT_QMQP_SERVER_H
#define INJECT_QMQP_SERVER_H

#include "base/attr.h"
#include "base/span.h"
#include "net/ip.h"

enum {
	QMQP_PORT = 628,
};

struct qmqp_server {
	struct ip ip;
	unsigned port;
};

/* 0, or -1 if line names no server. */
MUST_USE int qmqp_server_parse(struct span line, struct qmqp_server *server);

#endif
