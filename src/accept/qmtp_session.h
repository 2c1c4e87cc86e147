/*
 * qmtp_session - one QMTP connection: messages, and a verdict for each of
 *                their recipients
 * Source: D. J. Bernstein, "Quick Mail Transfer Protocol", 1997-02-01.
 *
 *   client  [message] [sender] [[recipient] [recipient] ...]
 *   server  [verdict] for each recipient, in their order
 *
 * [x] is a netstring. The first byte of a message says how its lines end: LF,
 * or CR for CR LF. A verdict starts with K (taken), Z (later) or D (never).
 */
#ifndef ACCEPT_QMTP_SESSION_H
#define ACCEPT_QMTP_SESSION_H

#include "accept/framed_mail.h"
#include "base/attr.h"
#include "base/str.h"
#include "conf/rcpthosts.h"

enum {
	QMTP_RECIPIENTS_MAX = 1000000, /* in one message; the rest is put off */
	QMTP_LOGGED_MAX = 100,         /* refusals of a message in the log */
};

struct qmtp_session {
	struct framed_mail mail;
	struct rcpthosts hosts; /* not used if the client may relay */
	struct str fates;       /* a byte for each recipient */
	size_t excess;          /* recipients without one */
	size_t refused;
	bool is_bad_sender;
};

/* Sets *session; the pointers must outlive it. The caller loads hosts, and
   sets mail.databytes. */
void qmtp_session_init(struct qmtp_session *session, struct in *in,
    struct out *out, const struct peer *peer);
/* Takes messages until the end. Returns the exit code; the last replies may
   still be in out. */
MUST_USE int qmtp_session_run(struct qmtp_session *session);
void qmtp_session_free(struct qmtp_session *session);

#endif
