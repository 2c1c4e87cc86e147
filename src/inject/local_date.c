#include "inject/local_date.h"

#include <time.h>

#include "base/clock.h"

/* English whatever the locale is: the names belong to the format. */
static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void
local_date_append(struct str *to, int64_t when_s)
{
	time_t when = (time_t)when_s;
	char zone[8];
	struct tm at;

	tzset(); /* localtime_r need not */
	if (localtime_r(&when, &at) == NULL ||
	    strftime(zone, sizeof(zone), "%z", &at) != 5) {
		/* no local time that the format can say */
		clock_append_date(to, when_s);
		return;
	}
	str_append_format(to, "%d %s %d %02d:%02d:%02d %s", at.tm_mday,
	    months[at.tm_mon], 1900 + at.tm_year, at.tm_hour, at.tm_min,
	    at.tm_sec, zone);
}
