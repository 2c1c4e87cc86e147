/*
 * span - borrowed bytes: a pointer and a length, no owner, no terminator
 *
 * Whoever makes a span says in its contract who owns the bytes and for how
 * long. Bytes may be anything, NUL included. Comparisons without case fold
 * ASCII letters only; bytes above 127 compare exactly.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	const char *s;
	size_t len;
};

#define SPAN_LITERAL(text) ((struct span){(text), sizeof(text) - 1})
#define SPAN_NONE SIZE_MAX /* what the searches return for "not there" */

struct span span_of(const char *cstr);
bool span_is(struct span a, const char *cstr);
bool span_equal(struct span a, struct span b);
bool span_equal_nocase(struct span a, struct span b);
bool span_starts_nocase(struct span a, const char *prefix);
size_t span_find(struct span a, char byte);         /* first, or SPAN_NONE */
size_t span_find_last(struct span a, char byte);    /* last, or SPAN_NONE */
struct span span_from(struct span a, size_t start); /* start <= a.len */
struct span span_until(struct span a, size_t end);  /* end <= a.len */
struct span span_trim_right(struct span a); /* drops spaces, tabs, LFs */
char span_lower(char byte);                 /* ASCII only */
/* True if a shell might take it for a function in the environment, were the
   spaces in front of it gone. */
bool span_is_function(struct span a);

#endif
