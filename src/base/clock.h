/*
 * clock - wall time, steady time, and the two date formats of mail
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#include "base/str.h"

int64_t clock_now(void);     /* seconds since 1970, as the wall clock has it */
int64_t clock_mono_ms(void); /* milliseconds that never go back */

/* "22 Nov 2026 18:46:21 -0000": UTC, day not padded (RFC 5322 3.3). */
void clock_append_date(struct str *to, int64_t when_s);
/* "Sun Nov 02 18:46:21 2026": UTC, day with two digits (mbox From_ line). */
void clock_append_mbox(struct str *to, int64_t when_s);

#endif
