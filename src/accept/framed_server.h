/*
 * framed_server - the start and the end of qmail-qmtpd and qmail-qmqpd
 *
 * One a process: it is about descriptors 0 and 1, signals, and the working
 * directory.
 */
#ifndef ACCEPT_FRAMED_SERVER_H
#define ACCEPT_FRAMED_SERVER_H

#include "accept/peer.h"
#include "base/attr.h"
#include "base/in.h"
#include "base/out.h"

enum {
	FRAMED_SERVER_LIFE_S = 3600, /* the longest connection */
};

struct framed_server {
	struct peer peer;
	struct in in;
	struct out out; /* flushed before in waits */
	char in_buf[32768], out_buf[4096];
};

/*
 * Sets *server and goes to the home. Ends the process with 111 if that fails.
 * After FRAMED_SERVER_LIFE_S the process is killed by SIGALRM, which cancels
 * what is not yet queued.
 */
void framed_server_open(struct framed_server *server);
/* Sends the last replies and lets the client take them. Returns code. */
MUST_USE int framed_server_close(struct framed_server *server, int code);

#endif
