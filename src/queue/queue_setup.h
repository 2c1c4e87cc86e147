/*
 * queue_setup - how qmail-queued starts: options, account, lock, directories,
 *               sockets
 *
 * Each call ends the process with one line on stderr if it cannot do its part.
 */
#ifndef QUEUE_QUEUE_SETUP_H
#define QUEUE_QUEUE_SETUP_H

#include <stddef.h>

#include "base/attr.h"
#include "conf/accounts.h"
#include "queue/cleaners.h"

/* relative to queue/ */
#define QUEUE_SUBMIT_SOCKET "../run/submit.sock"
#define QUEUE_CONTROL_SOCKET "../run/control.sock"

struct queue_options {
	size_t segments, kib, clients;
};

void queue_setup_options(int argc, char **argv, struct queue_options *options);
/* TERM, INT and USR1 come through the descriptor that is returned. */
int queue_setup_signals(void);
/* How many submitters at a time the limit of descriptors allows. */
size_t queue_setup_limit(size_t wanted);
/* Looks the accounts up; as root, makes queue/ and run/ and becomes qmailq. */
void queue_setup_accounts(struct accounts *accounts);
/* Takes queue/lock, or ends the process: another one runs. */
int queue_setup_lock(void);
/* Starts the qmail-clean beside the program argv0. */
void queue_setup_cleaners(
    struct cleaners *cleaners, const char *argv0, int lock);
/* Changes to queue/ and makes the directories in it. */
void queue_setup_directory(void);
/* Then gives up all but queue/, run/ and sockets there (base/sandbox.h). */
void queue_setup_sandbox(void);
int queue_setup_submit_socket(void);
int queue_setup_control_socket(void);

#endif
