/*
 * report - what a delivery has to say: it ends in the log and in the bounce
 *
 * Texts are one sentence a line; the last one of a failure ends in a status
 * code such as "(#4.3.0)". The output of a recipient's programs is added as it
 * comes, so it may be anything.
 */
#ifndef LOCAL_REPORT_H
#define LOCAL_REPORT_H

#include "base/attr.h"
#include "base/die.h"
#include "base/span.h"
#include "base/str.h"

enum {
	REPORT_MAX = 3000, /* bytes that qmail-lspawn passes on */
};

struct report {
	struct str text;
	size_t max;    /* bytes kept; 0: all of them */
	bool too_long; /* something was thrown away */
};

#define REPORT_INIT(max)                                                       \
	{                                                                      \
		STR_INIT, (max), false                                         \
	}

void report_add(struct report *report, struct span bytes);
void report_line(struct report *report, const char *format, ...)
    PRINTF_LIKE(2, 3); /* a newline is added */
/* The same; return EXIT_PERM and EXIT_TEMP, for the caller to return. */
int report_perm(struct report *report, const char *format, ...)
    PRINTF_LIKE(2, 3);
int report_temp(struct report *report, const char *format, ...)
    PRINTF_LIKE(2, 3);
/* Cuts the text at its first NUL; if it was too long, its end becomes a line
   that says so, and the whole has at most max bytes. */
void report_finish(struct report *report);

#endif
