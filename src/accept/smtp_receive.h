/*
 * smtp_receive - DATA: from the wire into the queue
 */
#ifndef ACCEPT_SMTP_RECEIVE_H
#define ACCEPT_SMTP_RECEIVE_H

#include "accept/smtp_session.h"
#include "base/attr.h"

/*
 * Opens a submission, says 354, passes the message on while it comes, and
 * replies. The session needs a sender and a recipient; it has neither
 * afterwards. Whenever the message is not whole nothing is queued.
 */
MUST_USE enum smtp_next smtp_receive(struct smtp_session *session);

#endif
