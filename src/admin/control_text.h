/*
 * control_text - says in sentences what the files of control/ make happen
 *
 * Paths are relative to the home, which must be the working directory. Bytes
 * of files that a terminal would obey are shown as '?'.
 */
#ifndef ADMIN_CONTROL_TEXT_H
#define ADMIN_CONTROL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/* How many files are known; they are numbered from 0, by name. */
size_t control_text_count(void);
const char *control_text_name(size_t number);
bool control_text_is_known(const char *name);

/*
 * Appends an empty line, "name: ", "(Default.) " if the default holds, and a
 * sentence; of a list or a map a line for each entry. 0, or -1 with errno if
 * the file cannot be read; then nothing is appended.
 */
MUST_USE int control_text_append(struct str *to, size_t number);
/* Appends bytes, those that are not fit for a terminal as '?'. */
void control_text_append_safe(struct str *to, struct span bytes);

#endif
