/*
 * framed_mail - what QMTP and QMQP have in common: a message, its sender and
 *               its recipients come in netstrings, and a verdict goes back
 *
 * The message and its addresses are passed on to the queue while they come.
 * Whenever something is wrong the submission is let go, and nothing of it is
 * queued. Nothing here exits. Replies gather in out, which in flushes before
 * each read.
 */
#ifndef ACCEPT_FRAMED_MAIL_H
#define ACCEPT_FRAMED_MAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "accept/frame.h"
#include "accept/peer.h"
#include "base/attr.h"
#include "base/in.h"
#include "base/out.h"
#include "base/str.h"
#include "net/submit.h"

enum {
	FRAMED_ADDRESS_MAX = 999, /* bytes of an address */
	FRAMED_CHUNK_MAX = 32768, /* bytes of a message at a time */
	/* bytes of all addresses of a message, with what a netstring, and
	   RELAYCLIENT, add to each */
	FRAMED_RECIPIENTS_SIZE_MAX = 32 * 1024 * 1024,
};

struct framed_mail {
	struct in *in;
	struct out *out;
	const struct peer *peer;
	const char *protocol; /* for the trace line */
	uint64_t databytes;   /* the largest message; 0: no limit */
	pid_t pid;            /* for the log */
	struct frame frame;
	/* of the message that is coming */
	struct submit submit;
	bool is_open;    /* the submission can still come to an end */
	bool is_too_big; /* over databytes */
	uint64_t size_bytes;
	size_t recipient_count; /* of those that were given to the queue */
	size_t recipients_size; /* bytes, of all that came */
	struct str sender;      /* for the log: */
	struct str recipient;   /* the first of them */
	struct str address;     /* the last one read */
	struct str verdict;     /* letter and words */
	char chunk[FRAMED_CHUNK_MAX];
};

/* Sets *mail; the pointers must outlive it. */
void framed_mail_init(struct framed_mail *mail, struct in *in, struct out *out,
    const struct peer *peer, const char *protocol);
void framed_mail_free(struct framed_mail *mail);

/* Forgets the last message. */
void framed_mail_reset(struct framed_mail *mail);
/* Opens a submission and writes the trace line; once a message. */
void framed_mail_start(struct framed_mail *mail);
/* A piece of the message, as it is to be stored. */
void framed_mail_write(struct framed_mail *mail, const char *bytes, size_t len);
/* All that is left of the innermost frame, as it is. */
MUST_USE enum frame_result framed_mail_copy(struct framed_mail *mail);
/*
 * Reads a netstring into mail->address. *is_good: it has at most max bytes and
 * no NUL; otherwise only its start may be there, for the log.
 */
MUST_USE enum frame_result framed_mail_read_address(
    struct framed_mail *mail, size_t max, bool *is_good);
/* mail->address is the sender, or a recipient. */
void framed_mail_from(struct framed_mail *mail);
void framed_mail_to(struct framed_mail *mail);
/* Lets the submission go, if there still is one. */
void framed_mail_drop(struct framed_mail *mail);
/* Hands the message to the queue, or finds out why not: mail->verdict is "Kok
   TIME qp ID", or what the queue said. Needs an open submission. */
void framed_mail_finish(struct framed_mail *mail);

/* Appends a verdict to out, as a netstring. */
void framed_mail_reply(struct framed_mail *mail, struct span verdict);
/* One line on stderr about a recipient, with its verdict. */
void framed_mail_log_refusal(
    const struct framed_mail *mail, const char *result, const char *why);
/* One line about the message, which got mail->verdict. refused: how many
   recipients it does not concern. */
void framed_mail_log(const struct framed_mail *mail, size_t refused);
/*
 * Ends what cannot go on: lets go, logs, and returns the exit code for result:
 * 0 lost, 100 invalid, 111 too big.
 */
MUST_USE int framed_mail_end(
    struct framed_mail *mail, enum frame_result result);

#endif
