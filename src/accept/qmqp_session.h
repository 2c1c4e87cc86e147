/*
 * qmqp_session - one QMQP connection: one message, one verdict for all
 * Source: D. J. Bernstein, "Quick Mail Queueing Protocol".
 *
 *   client  [[message] [sender] [recipient] [recipient] ...]
 *   server  [verdict]
 *
 * [x] is a netstring. Lines of the message end with LF. The verdict starts
 * with K (queued for all recipients), Z (later) or D (never).
 */
#ifndef ACCEPT_QMQP_SESSION_H
#define ACCEPT_QMQP_SESSION_H

#include "accept/framed_mail.h"
#include "base/attr.h"

/* Takes the message of *mail, which framed_mail_init has set. Returns the exit
   code; the verdict may still be in mail->out. */
MUST_USE int qmqp_session_run(struct framed_mail *mail);

#endif
