/*
 * local_date - the date of a message, in the time zone of the user
 * Source: RFC 5322 section 3.3
 */
#ifndef INJECT_LOCAL_DATE_H
#define INJECT_LOCAL_DATE_H

#include <stdint.h>

#include "base/str.h"

/* "22 Nov 2026 18:46:21 +0100": the zone of TZ, or of this machine. */
void local_date_append(struct str *to, int64_t when_s);

#endif
