/*
 * recovery - brings queue/ from what a crash left to what was promised
 *
 * Runs before the sockets are opened. May be cut anywhere and run again: the
 * journal is given up only when everything in it is in synced files. With very
 * many messages it lists directories, and opens only those files that the
 * journal names.
 */
#ifndef QUEUE_RECOVERY_H
#define QUEUE_RECOVERY_H

#include "base/attr.h"
#include "queue/ledger.h"

/*
 * Sets up the journal in *ledger (slots, KiB each) and the next id. On failure
 * it ends the process with 111 and a line on stderr; nothing is lost by that.
 */
void recovery_run(struct ledger *ledger, size_t slots, size_t size_kib);

#endif
