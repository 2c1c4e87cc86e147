/*
 * recovering - runs the recovery of qmail-queued on a tree, and tells the
 * result
 */
#ifndef CRASH_RECOVERING_H
#define CRASH_RECOVERING_H

#include <stdbool.h>

#include "memfs.h"

/*
 * What recovery (unless plain) makes of the tree, as lines in order: "next ID",
 * "said TEXT", "died CODE", "file PATH SIZE CRC CRC HEX", where the second CRC
 * is of all behind the first line. The journal is left out, and the bytes of
 * messages unless plain. To be freed.
 */
char *recovering_result(
    struct node *tree, bool plain, memfs_sink sink, void *owner);

#endif
