/*
 * terminal - writes to somebody's terminal, if he lets us
 *
 * A terminal takes messages if its file belongs to the user and has the x bit
 * of the owner set ("chmod u+x `tty`", which biff does).
 */
#ifndef LOCAL_TERMINAL_H
#define LOCAL_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"

/* True for a name below /dev as a login record may have it: letters, digits
   and "/_.:-", no empty part, no part that starts with a dot. Pure. */
bool terminal_is_name(struct span name);
/*
 * Writes text at once, and what does not fit is dropped; it never waits, and
 * never becomes our controlling terminal. 0, or -1 with errno (EPERM: it is
 * not the user's, or does not take messages).
 */
MUST_USE int terminal_write(struct span name, uid_t user, struct span text);

#endif
