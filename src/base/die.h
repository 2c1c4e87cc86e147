/*
 * die - how a program speaks when it ends, and how it warns
 *
 * One line on stderr: "NAME: text". die_usage and die_perm exit 100, die_temp
 * and die_sys exit 111 (die_sys adds ": " and the text of errno), warn_*
 * return. NAME is what die_init was given, at the start of main; it is not
 * copied. Bytes from outside go through quote().
 */
#ifndef BASE_DIE_H
#define BASE_DIE_H

#include "base/attr.h"
#include "base/span.h"

enum {
	EXIT_OK = 0,
	EXIT_PERM = 100,
	EXIT_TEMP = 111,
};

void die_init(const char *name);
const char *die_name(void);
NORETURN void die_usage(const char *synopsis); /* "usage: " is added */
NORETURN void die_perm(const char *format, ...) PRINTF_LIKE(1, 2);
NORETURN void die_temp(const char *format, ...) PRINTF_LIKE(1, 2);
NORETURN void die_sys(const char *format, ...) PRINTF_LIKE(1, 2);
void warn_plain(const char *format, ...) PRINTF_LIKE(1, 2);
void warn_sys(const char *format, ...) PRINTF_LIKE(1, 2);

/*
 * Makes bytes fit to print: unprintable ones become '?', at most 200 are kept.
 * Returns one of four static buffers in turn; valid until four more calls.
 */
const char *quote(const char *cstr);
const char *quote_span(struct span bytes);

#endif
