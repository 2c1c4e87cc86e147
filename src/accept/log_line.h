/*
 * log_line - one line of the receivers' logs: "ip=192.0.2.7 from=a@b size=3"
 */
#ifndef ACCEPT_LOG_LINE_H
#define ACCEPT_LOG_LINE_H

#include <stdint.h>

#include "base/span.h"
#include "base/str.h"

enum {
	LOG_LINE_SHOWN_MAX = 200, /* bytes of a value, so that five fit */
};

/* Appends name=value, with a space before it if line is not empty; spaces, '%'
   and unprintable bytes of value as '_'. */
void log_line_add(struct str *line, const char *name, struct span value);
void log_line_add_u64(struct str *line, const char *name, uint64_t value);

#endif
