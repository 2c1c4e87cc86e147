/*
 * smtp_consult - asks the plugins of a stage, and does what they say
 */
#ifndef ACCEPT_SMTP_CONSULT_H
#define ACCEPT_SMTP_CONSULT_H

#include "accept/smtp_session.h"

enum smtp_consulted {
	SMTP_CONSULT_GO_ON,
	SMTP_CONSULT_TAKE,    /* without checks of our own */
	SMTP_CONSULT_REFUSED, /* the reply was given */
	SMTP_CONSULT_LEAVE,   /* so it was, if any; close */
};

/* Tells the plugins in their environment what is known of the conversation.
   address: what they may replace (session->sender or ->address), or NULL. A
   refusal that an earlier stage left for this one comes first. */
enum smtp_consulted smtp_consult(
    struct smtp_session *session, enum smtp_stage stage, struct str *address);

#endif
