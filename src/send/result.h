/*
 * result - what the result of one recipient means: for the log, for the queue,
 *          and for the host that it came from
 */
#ifndef SEND_RESULT_H
#define SEND_RESULT_H

#include "base/span.h"
#include "send/channel.h"
#include "send/hosts.h"
#include "send/state.h"

/* qmail-remote's text when it had no connection begins so. */
#define RESULT_UNREACHABLE                                                     \
	"Sorry, I wasn't able to establish an SMTP connection."

/* Logs the result and tells the queue. The last attempt makes a failure of
   what would be a deferral. */
void result_take(struct state *state, struct pass *pass,
    const struct channel_recipient *one, char letter, struct span text);
/* The same for a report that makes no sense: a deferral. */
void result_take_mangled(struct state *state, struct pass *pass,
    const struct channel_recipient *one);
/* Pure. Texts of the host itself can at most slow down mail to it. */
enum hosts_outcome result_judge_host(char letter, struct span text);

#endif
