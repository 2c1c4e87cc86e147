/*
 * import_hold - orders qmail-queued to hold the messages of an import
 *
 * The order is on the disk when this returns, and qmail-send has it before it
 * hears of any message that is queued later. Paths are relative to the home.
 */
#ifndef ADMIN_IMPORT_HOLD_H
#define ADMIN_IMPORT_HOLD_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"

/* Holds all whose origin has that key, or lets them go; either may be said
   twice. 0, or -1 with errno (EPROTO: qmail-queued will not do it). */
MUST_USE int import_hold(struct span key, bool hold);

#endif
