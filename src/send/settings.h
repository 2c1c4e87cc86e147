/*
 * settings - what qmail-send and its bounce helper take from control/
 *
 * Read at the start; locals, virtualdomains and the limits again on HUP.
 * Paths are relative to the home, which must be the working directory.
 */
#ifndef SEND_SETTINGS_H
#define SEND_SETTINGS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"
#include "conf/classify.h"

struct settings {
	struct str bouncefrom, bouncehost;
	struct str doublebounceto; /* empty: double bounces are discarded */
	struct str doublebouncehost;
	struct classify_tables tables;
	unsigned long concurrency[CHANNELS];
	unsigned long host_jobs;        /* concurrencyhost */
	unsigned long job_recipients;   /* remoterecipients */
	unsigned long lifetime_s;       /* queuelifetime */
	unsigned long bounce_max_bytes; /* bouncemaxbytes; 0: no limit */
	unsigned long double_per_hour;  /* doublebouncerate; 0: no limit */
};

#define SETTINGS_INIT                                                          \
	{                                                                      \
		.bouncefrom = STR_INIT, .bouncehost = STR_INIT,                \
		.doublebounceto = STR_INIT, .doublebouncehost = STR_INIT,      \
		.tables = CLASSIFY_TABLES_INIT                                 \
	}

/* Reads all of it into *settings, once. NULL, or the name of the file that
   cannot be read (or that is needed and not there). */
MUST_USE const char *settings_load(struct settings *settings);
/*
 * Reads again what HUP rereads. NULL; or the name of a file that cannot be
 * read, and then all settings are as they were.
 */
MUST_USE const char *settings_reload(struct settings *settings);
void settings_free(struct settings *settings);

#endif
