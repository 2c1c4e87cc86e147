/*
 * getpw_client - asks qmail-getpw, without waiting, for qmail-lspawn
 *
 * One qmail-getpw is kept running and asked by the protocol of local/getpw.h.
 * A site may have put a program of its own in its place that only knows
 * "qmail-getpw local": it ends, or talks nonsense, before it has answered
 * anything; from then on each query is a run of it. Queries that a
 * qmail-getpw leaves unanswered when it ends are runs, too.
 */
#ifndef LOCAL_GETPW_CLIENT_H
#define LOCAL_GETPW_CLIENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/run.h"

enum {
	GETPW_WAIT_S = 60, /* for one answer */
};

struct getpw_query {
	/* without NUL, at most GETPW_LOCAL_MAX bytes; the asker's, must stay
	   until answered */
	struct span local;
	/* code: an exit code, or CHILD_KILLED; with 0 comes an entry, of which
	   nothing is checked. The query is over; freeing it ends the entry. */
	void (*answered)(void *owner, int code, struct span entry);
	void *owner;
	/* the client's own */
	struct getpw_query *next;
	struct run run;
};

struct getpw_client {
	struct loop *loop;
	bool drop; /* to this account */
	uid_t uid;
	gid_t gid;
	/* the client's own */
	enum {
		GETPW_OFF,
		GETPW_ON,
		GETPW_ENDING, /* pipes closed, not yet waited for */
		GETPW_CLASSIC,
	} state;
	bool has_answered;
	struct getpw_query *first, *last; /* asked, not answered */
	struct str to_ask, answers;       /* bytes of the two pipes */
	struct loop_watch writer, reader;
	struct loop_child child;
};

/* loop, drop, uid and gid are set by the caller, the rest is zero. */
void getpw_client_init(struct getpw_client *client);
void getpw_client_ask(struct getpw_client *client, struct getpw_query *query);

#endif
