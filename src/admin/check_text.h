/*
 * check_text - what is odd about the text of one control file
 *
 * Knows each file's kind: a value, a number, a list, a map; and what of it
 * the programs that read it take in another way than who wrote it may think.
 * Pure: bytes in, findings out.
 */
#ifndef ADMIN_CHECK_TEXT_H
#define ADMIN_CHECK_TEXT_H

#include <stddef.h>

#include "admin/check_report.h"
#include "base/attr.h"
#include "base/span.h"

/* The files that are known, numbered from 0. */
size_t check_text_count(void);
const char *check_text_name(size_t number); /* without control/ */

/* Judges text as the content of control/NAME. */
void check_text_judge(
    struct check_report *report, size_t number, struct span text);

/* Walks through lines: set rest, leave the others zero. */
struct check_lines {
	struct span rest;
	size_t number; /* of the line at hand, from 1 */
};

/* The next line that counts, without blanks at its end; empty ones and
   comments are left out. 1, or 0 at the end. */
MUST_USE int check_lines_next(struct check_lines *lines, struct span *line);

#endif
