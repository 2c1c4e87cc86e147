#include "send/bounce_rate.h"

enum {
	HOUR_MS = 3600 * 1000,
};

/* For how long a place is used; 0 without a bound. */
static int64_t
use_ms(const struct bounce_rate *rate)
{
	if (rate->per_hour == 0 || rate->per_hour > HOUR_MS)
		return 0;
	return HOUR_MS / (int64_t)rate->per_hour;
}

int64_t
bounce_rate_free_ms(const struct bounce_rate *rate)
{
	if (use_ms(rate) == 0)
		return 0;
	return rate->whole_ms + use_ms(rate) - HOUR_MS;
}

bool
bounce_rate_use(struct bounce_rate *rate, int64_t now_ms)
{
	if (rate->whole_ms < now_ms)
		rate->whole_ms = now_ms;
	rate->whole_ms += use_ms(rate);
	return bounce_rate_free_ms(rate) > now_ms;
}
