#include "base/clock.h"

#include <limits.h>
#include <time.h>

enum {
	YEAR_0 = 1900, /* of tm_year */
};

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[] = {
    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

int64_t
clock_now(void)
{
	return (int64_t)time(NULL);
}

int64_t
clock_mono_ms(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) == -1)
		return clock_now() * 1000; /* cannot happen where POSIX holds */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct tm
broken_down(int64_t when_s)
{
	static const struct tm epoch = {
	    .tm_mday = 1, .tm_year = 70, .tm_wday = 4};
	time_t when = (time_t)when_s;
	struct tm parts;

	/* a year beyond int: print the epoch rather than garbage */
	if (gmtime_r(&when, &parts) == NULL || parts.tm_year > INT_MAX - YEAR_0)
		return epoch;
	return parts;
}

void
clock_append_date(struct str *to, int64_t when_s)
{
	struct tm at = broken_down(when_s);

	str_append_format(to, "%d %s %d %02d:%02d:%02d -0000", at.tm_mday,
	    months[at.tm_mon], YEAR_0 + at.tm_year, at.tm_hour, at.tm_min,
	    at.tm_sec);
}

void
clock_append_mbox(struct str *to, int64_t when_s)
{
	struct tm at = broken_down(when_s);

	str_append_format(to, "%s %s %02d %02d:%02d:%02d %d", days[at.tm_wday],
	    months[at.tm_mon], at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec,
	    YEAR_0 + at.tm_year);
}
