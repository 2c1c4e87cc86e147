/*
 * check_report - what qmail-check has found, and what it could not look at
 *
 * A finding is a line "FILE:LINE: what" and two that are indented: what comes
 * of it ("so:") and what helps ("do:"). Bytes that a terminal would obey are
 * shown as '?'. Memory is bounded by whoever prints and clears the texts.
 */
#ifndef ADMIN_CHECK_REPORT_H
#define ADMIN_CHECK_REPORT_H

#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

struct check_report {
	struct str findings, troubles; /* lines, each with its LF */
	size_t finding_count, trouble_count;
};

#define CHECK_REPORT_INIT                                                      \
	{                                                                      \
		STR_INIT, STR_INIT, 0, 0                                       \
	}

/* What every finding has besides its place and its own words. */
struct check_advice {
	const char *so, *remedy;
};

/* Adds a finding; line 0 means the whole file. */
void check_report_add(struct check_report *report, struct check_advice advice,
    const char *file, size_t line, const char *format, ...) PRINTF_LIKE(5, 6);
/* Adds that file could not be looked at, because of error (an errno). */
void check_report_trouble(
    struct check_report *report, const char *file, int error);
void check_report_free(struct check_report *report);

#endif
