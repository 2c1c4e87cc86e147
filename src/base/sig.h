/*
 * sig - signals: ignored, defaulted, or turned into a byte in a pipe
 */
#ifndef BASE_SIG_H
#define BASE_SIG_H

#include "base/attr.h"

MUST_USE int sig_ignore(int number);
MUST_USE int sig_default(int number);
/*
 * Makes a close-on-exec, non-blocking pipe. sig_watch then lets each arrival
 * of number write that number as a byte into it; a full pipe drops the byte.
 * Call sig_open once; it returns the read end, or -1.
 */
MUST_USE int sig_open(void);
MUST_USE int sig_watch(int number);
int sig_next(void); /* the next number, 0 if none is pending */
/*
 * Those that ask a daemon for something are held back: HUP, ALRM, TERM, INT.
 * This outlives an exec, so that none arrives before the program watches them.
 */
MUST_USE int sig_hold(void);
MUST_USE int sig_release(void);

#endif
