/*
 * queue_control - an administrator's side of run/control.sock
 * Paths are relative to the home. Each wait has an end.
 */
#ifndef ADMIN_QUEUE_CONTROL_H
#define ADMIN_QUEUE_CONTROL_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "mail/order_set.h"

enum {
	QUEUE_CONTROL_WAIT_MS = 60 * 1000,   /* for an answer */
	QUEUE_CONTROL_SETTLE_MS = 10 * 1000, /* for the files to be there */
	QUEUE_CONTROL_LIST_MAX = 60000,      /* bytes of a request's list */
};

struct queue_control {
	int fd;
	char *buffer;
};

struct queue_control_answer {
	struct span results; /* a letter for each item of the request */
	bool is_heard;       /* qmail-send is there */
	struct span error;   /* if not empty: all was refused, and why */
};

/* 0, or -1 with errno: ENOENT and ECONNREFUSED if qmail-queued does not run,
   EACCES if this user may not talk to it. */
MUST_USE int queue_control_open(struct queue_control *control);
/*
 * Sends letter and list, which is netstrings and has QUEUE_CONTROL_LIST_MAX
 * bytes at most, and waits for the answer, valid until the next call. 0, or -1
 * with errno (EACCES: it hung up, as it does on those who may not ask).
 */
MUST_USE int queue_control_ask(struct queue_control *control, char letter,
    struct span list, struct queue_control_answer *answer);
/* Adds all orders that stand. 0, or -1 with errno. */
MUST_USE int queue_control_list(
    struct queue_control *control, struct order_set *orders);
/*
 * Waits until qmail-queued has written the files of all that it has accepted,
 * as it does a little later if nobody asks. Where it does not run, does not let
 * this user in or takes too long, the files are as they are.
 */
void queue_control_settle(void);
void queue_control_close(struct queue_control *control);

#endif
