/*
 * smtp_session - one conversation: commands, their replies, what they change
 * Source: RFC 5321, RFC 2920 (PIPELINING), RFC 1870 (SIZE), RFC 6152.
 *
 * Nothing here exits or opens a descriptor, apart from the submission.
 * Replies gather in out, which in flushes before each read.
 */
#ifndef ACCEPT_SMTP_SESSION_H
#define ACCEPT_SMTP_SESSION_H

#include <stdbool.h>
#include <sys/types.h>

#include "accept/peer.h"
#include "accept/smtp_config.h"
#include "base/attr.h"
#include "base/in.h"
#include "base/out.h"
#include "base/str.h"

enum {
	SMTP_LINE_MAX = 4096,   /* bytes of a command, its line end included */
	SMTP_ADDRESS_MAX = 899, /* bytes of an address in MAIL or RCPT */
	SMTP_OVERLONG_MAX = 16, /* times SMTP_LINE_MAX bytes too many */
	SMTP_UNKNOWN_MAX = 20,  /* commands that we do not know */
	SMTP_CHUNK_MAX = 32768, /* bytes of a message at a time */
	SMTP_ENVELOPE_MAX = 16 * 1024 * 1024, /* bytes of all recipients */
};

enum smtp_next {
	SMTP_GO_ON,  /* with the next command */
	SMTP_LEAVE,  /* the reply has been given: close */
	SMTP_BROKEN, /* the connection ended or timed out: see in->error */
	SMTP_DONE,   /* QUIT */
};

struct smtp_session {
	struct in *in;
	struct out *out;
	struct smtp_config *config;
	struct peer *peer;
	struct str line, helo, sender, address;
	struct str recipients; /* each ended by NUL; none contains one */
	size_t recipient_count;
	size_t asked_count; /* RCPTs of this transaction */
	bool has_helo, has_mail;
	const struct smtp_refusal *refusal; /* of every recipient, or NULL */
	unsigned long bad_recipients;       /* of the whole conversation */
	unsigned overlong, unknown;
	pid_t pid; /* for the log */
	char decoded[SMTP_CHUNK_MAX];
};

/* Sets *session; the pointers must outlive it. */
void smtp_session_init(struct smtp_session *session, struct in *in,
    struct out *out, struct smtp_config *config, struct peer *peer);
/*
 * Greets, then obeys until the end. Returns any of enum smtp_next but
 * SMTP_GO_ON; the last reply still is in out.
 */
MUST_USE enum smtp_next smtp_session_run(struct smtp_session *session);
void smtp_session_free(struct smtp_session *session);

/* ---- for smtp_receive.c and smtp_consult.c
 * ---------------------------------------------------
 */

void smtp_reply(struct smtp_session *session, const char *text);
/* Ends a reply with text that is not ours: unprintable bytes become '?'. */
void smtp_reply_foreign(struct smtp_session *session, const char *text);
/* Replies, and logs it as said about session->address. */
void smtp_refuse(
    struct smtp_session *session, const struct smtp_refusal *refusal);
/* For a file of control/ that can suddenly not be read: SMTP_LEAVE. */
enum smtp_next smtp_refuse_controls(struct smtp_session *session);
/* Forgets sender and recipients. */
void smtp_session_reset(struct smtp_session *session);

/* What is known about a decision, for the log. */
struct smtp_decision {
	const char *result; /* "accept", "reject", "defer" */
	unsigned code;      /* of the reply */
	const char *why;    /* a word, or NULL */
	struct span to;     /* the recipient, or the first of them */
	bool is_message;    /* size_bytes and qp count */
	uint64_t size_bytes, qp;
};

/* One line on stderr, "ip=... from=... result=...". */
void smtp_log(
    const struct smtp_session *session, const struct smtp_decision *decision);

#endif
