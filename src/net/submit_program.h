/*
 * submit_program - the classic way to queue: a program with the message on
 *                  its fd 0, the envelope on its fd 1, its words on fd 6 or 4
 *
 * Used by submit alone, for QMAILQUEUE. The envelope is collected in
 * submit->addresses and written when the message is complete; without its last
 * NUL the program queues nothing.
 */
#ifndef NET_SUBMIT_PROGRAM_H
#define NET_SUBMIT_PROGRAM_H

#include "net/submit.h"

/* Runs path, found from home, with its name alone as argument. On failure
   submit->code is set and no child is left. */
void submit_program_start(
    struct submit *submit, const char *path, const char *home);
void submit_program_write(struct submit *submit, const char *bytes, size_t len);
/* Ends the envelope and waits. Returns the exit code, SUBMIT_CRASHED, or 54
   if it says 0 but did not take all; submit->text may hold custom words. */
MUST_USE int submit_program_finish(struct submit *submit);
/* Ends all pipes, so that it fails, and waits for it. */
void submit_program_abort(struct submit *submit);

#endif
