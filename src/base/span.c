#include "base/span.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

struct span
span_of(const char *cstr)
{
	return (struct span){cstr, strlen(cstr)};
}

bool
span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.s, b.s, a.len) == 0);
}

bool
span_is(struct span a, const char *cstr)
{
	return span_equal(a, span_of(cstr));
}

char
span_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

bool
span_equal_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (span_lower(a.s[i]) != span_lower(b.s[i]))
			return false;
	}
	return true;
}

bool
span_starts_nocase(struct span a, const char *prefix)
{
	struct span want = span_of(prefix);

	return a.len >= want.len &&
	    span_equal_nocase(span_until(a, want.len), want);
}

size_t
span_find(struct span a, char byte)
{
	const char *at = a.len ? memchr(a.s, byte, a.len) : NULL;

	return at ? (size_t)(at - a.s) : SPAN_NONE;
}

size_t
span_find_last(struct span a, char byte)
{
	for (size_t i = a.len; i > 0; i--) {
		if (a.s[i - 1] == byte)
			return i - 1;
	}
	return SPAN_NONE;
}

struct span
span_from(struct span a, size_t start)
{
	assert(start <= a.len);
	if (start == 0) /* the empty span may be NULL, which takes no sum */
		return a;
	return (struct span){a.s + start, a.len - start};
}

struct span
span_until(struct span a, size_t end)
{
	assert(end <= a.len);
	return (struct span){a.s, end};
}

struct span
span_trim_right(struct span a)
{
	while (a.len > 0 &&
	    (a.s[a.len - 1] == ' ' || a.s[a.len - 1] == '\t' ||
		a.s[a.len - 1] == '\n'))
		a.len--;
	return a;
}

bool
span_is_function(struct span a)
{
	static const char start[] = "() {";
	size_t i = 0;

	while (i < a.len && a.s[i] == ' ')
		i++;
	a = span_from(a, i);
	return a.len >= sizeof(start) - 1 &&
	    memcmp(a.s, start, sizeof(start) - 1) == 0;
}
