/*
 * str - a string that grows and owns its bytes
 *
 * Starts as STR_INIT, is NUL-terminated after every call and may contain NUL.
 * Sums of sizes are checked. Bytes that are appended may lie in the string
 * itself, except as an argument of a format. The plain calls end the process
 * with 111 when memory runs out; the str_try_* calls return -1 with errno
 * ENOMEM and leave the string as it was. str_free brings it back to STR_INIT;
 * str_clear keeps the memory.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

struct str {
	char *s;
	size_t len;
	size_t size; /* allocated bytes; 0: s is not ours */
};

extern char str_nothing[1];
#define STR_INIT                                                               \
	{                                                                      \
		str_nothing, 0, 0                                              \
	}

void str_free(struct str *a);
void str_clear(struct str *a);
void str_truncate(struct str *a, size_t len); /* len <= a->len */
struct span str_span(const struct str *a);    /* valid until a changes */

void str_append(struct str *a, const char *buf, size_t len);
void str_append_cstr(struct str *a, const char *cstr);
void str_append_span(struct str *a, struct span b);
void str_append_char(struct str *a, char byte);
void str_append_u64(struct str *a, uint64_t number); /* decimal */
void str_append_format(struct str *a, const char *format, ...)
    PRINTF_LIKE(2, 3);
void str_format(struct str *a, const char *format, ...) PRINTF_LIKE(2, 3);
void str_copy(struct str *a, struct span b);        /* replaces the content */
void str_remove_front(struct str *a, size_t count); /* count <= a->len */

/* Makes room for extra more bytes, so that appending them cannot fail. */
void str_reserve(struct str *a, size_t extra);
MUST_USE int str_try_reserve(struct str *a, size_t extra);
MUST_USE int str_try_append(struct str *a, const char *buf, size_t len);

#endif
