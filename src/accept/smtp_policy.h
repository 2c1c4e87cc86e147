/*
 * smtp_policy - whom control/ refuses by name, and which recipients exist
 *
 * badhelo (unless NOBADHELO is set), badhelonorelay, badmailfrom,
 * badmailfromnorelay, rejectnullsenders, badrcptto, badrcpttonorelay,
 * rejectrelaytest, validrcptto (VALIDRCPTTO names another file),
 * morevalidrcptto.cdb (MOREVALIDRCPTTO_CDB), brtlimit (BRTLIMIT). Files whose
 * name ends in "norelay", and those that say which recipients are valid, do not
 * bind a client that may relay.
 */
#ifndef ACCEPT_SMTP_POLICY_H
#define ACCEPT_SMTP_POLICY_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"
#include "conf/control.h"
#include "conf/key_database.h"
#include "conf/patterns.h"

struct smtp_policy {
	bool is_relay;                     /* may change in the conversation */
	struct patterns helos, recipients; /* badhelo, badrcptto */
	/* of those who may not relay: the files that end in norelay */
	struct patterns strange_helos, strange_senders, strange_recipients;
	struct control_table bad_senders; /* badmailfrom */
	bool is_null_bad;                 /* rejectnullsenders */
	bool is_relay_test_bad;           /* rejectrelaytest */
	bool has_valid;                   /* there is a list or a database */
	struct control_table valid;       /* validrcptto */
	struct key_database more_valid;
	unsigned long bad_recipients_max; /* brtlimit; 0: no limit */
};

/* Why something is refused: code of the reply, a word for the log, the reply.
   All are literals. */
struct smtp_refusal {
	unsigned code;
	const char *why, *reply;
};

/* A policy that refuses nobody. */
void smtp_policy_init(struct smtp_policy *policy, bool is_relay);
/* Sets all of *policy; the current directory is the home. Returns 0, or -1 if
   a file cannot be read; if one makes no sense, after a line on stderr. */
MUST_USE int smtp_policy_load(struct smtp_policy *policy, bool is_relay);
void smtp_policy_free(struct smtp_policy *policy);

/* The refusal for the whole transaction, or NULL. helo_or_null: the name that
   the client gave, if it gave one. Strings without NUL inside. */
const struct smtp_refusal *smtp_policy_judge_sender(
    const struct smtp_policy *policy, const struct str *helo_or_null,
    const struct str *sender);
/* Sets *refusal, NULL if the recipient is welcome. Returns 0, or -1 with errno
   if the database of valid recipients cannot be read. */
MUST_USE int smtp_policy_judge_recipient(struct smtp_policy *policy,
    const struct str *recipient, const struct smtp_refusal **refusal);

#endif
