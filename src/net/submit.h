/*
 * submit - hands one message to the queue; the client side of qmail-queued
 *
 * With QMAILQUEUE unset the message goes straight to run/submit.sock. With
 * QMAILQUEUE set that program is run the classic way: message on its fd 0,
 * envelope on its fd 1, an error text from its fd 6 (or 4). A daemon that is
 * not there is retried for SUBMIT_RETRY_S seconds. A small message leaves in
 * one piece when it is complete. Call order: open, write any number of times,
 * from, to any number of times, then finish or abort. Failure sticks and shows
 * in the code of submit_finish. SIGPIPE must be ignored.
 */
#ifndef NET_SUBMIT_H
#define NET_SUBMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/out.h"
#include "base/span.h"
#include "base/str.h"

enum {
	SUBMIT_RETRY_S = 10,      /* for a daemon that restarts */
	SUBMIT_REPLY_S = 600,     /* for its answer after the last byte */
	SUBMIT_PROGRAM_S = 86400, /* for a program named by QMAILQUEUE */
	SUBMIT_CHUNK = 16 * 1024, /* bytes of message in one netstring */
	SUBMIT_DELAY = 64 * 1024, /* so much is kept before connecting */
	SUBMIT_TEXT_MAX = 255,    /* bytes of a custom error */
	SUBMIT_CRASHED = 256,     /* not an exit code: a signal ended it */
};

struct submit {
	int fd;         /* socket, or the pipe to the program's fd 0, or -1 */
	int envelope;   /* the pipe to the program's fd 1, or -1 */
	int error_text; /* the pipe from the program's fds 4 and 6, or -1 */
	pid_t child;    /* or 0 */
	int code;       /* sticky exit code; 0 while all is well */
	bool in_envelope, sent; /* sent: bytes have left for the socket */
	uint64_t qp;     /* after a success: the id, or the program's pid */
	struct str text; /* reply of the queue: a letter D or Z and the words */
	struct str pending;   /* bytes that have not left yet */
	size_t chunk;         /* where in pending the open netstring starts */
	struct str addresses; /* envelope for the program's fd 1 */
};

/* Whether submit_open runs a program: then no sandbox (base/sandbox.h). */
bool submit_runs_program(void);
/*
 * Starts (the program, if there is one). Always leaves *submit ready for the
 * other calls; trouble shows in submit_finish. Returns 0, or -1 if it has
 * failed already (a caller that wants to say so early may then call
 * submit_finish).
 */
MUST_USE int submit_open(struct submit *submit);
/* The same, but to the daemon even if QMAILQUEUE is set: for qmail-queue. */
void submit_open_daemon(struct submit *submit);
/* The number that log and reply show as qp shall be pid, not the id: for
   qmail-queue, whose callers know only its process. Before any write. */
void submit_label(struct submit *submit, pid_t pid);
/*
 * The message is taken over from another queue, where it has got its Received
 * line and its age: see doc/ARCHITECTURE.md. Right after submit_open_daemon;
 * for root and the account of the queue only.
 */
void submit_origin(
    struct submit *submit, uint64_t uid, uint64_t birth_s, struct span origin);
void submit_write(struct submit *submit, const char *bytes, size_t len);
void submit_from(struct submit *submit, struct span sender);
void submit_to(struct submit *submit, struct span recipient);
/* With an origin: a recipient by its letter, T, L or R (mail/queue_file.h). */
void submit_to_as(struct submit *submit, char letter, struct span recipient);
/* With an origin, behind the sender: what failed there; without NUL. */
void submit_failures(struct submit *submit, struct span text);
/* Instead of a message: returns when the queue has done with all that others
   had begun to take over. 0, or an exit code. */
MUST_USE int submit_wait(struct submit *submit);
/*
 * Ends the envelope and waits for the verdict. Returns 0 if the message is
 * queued (submit->qp is set), else qmail-queue's exit code; then submit->text
 * is "D..." or "Z..." as in submit_code_text. Frees all but text and qp.
 */
MUST_USE int submit_finish(struct submit *submit);
/* Lets go without queueing anything. */
void submit_abort(struct submit *submit);
/* "Dqq permanent problem (#5.3.0)" and the like, for a code other than 0 and
   82; static. A code that no table names gives "Zqq temporary problem". */
const char *submit_code_text(int code);

#endif
