/*
 * bounce_rate - how many double bounces may leave in an hour
 *
 * Pure. Of per_hour places each comes back an hour after it was used up, evenly
 * spread: so many at once, and then one every 3600 / per_hour seconds.
 */
#ifndef SEND_BOUNCE_RATE_H
#define SEND_BOUNCE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct bounce_rate {
	unsigned long per_hour; /* 0: no bound */
	int64_t whole_ms;       /* when no place is used any more */
};

/* When a place is free; at or before now_ms: now. Times are clock_mono_ms. */
int64_t bounce_rate_free_ms(const struct bounce_rate *rate);
/* Uses a place, which must be free. True if it was the last one. */
bool bounce_rate_use(struct bounce_rate *rate, int64_t now_ms);

#endif
