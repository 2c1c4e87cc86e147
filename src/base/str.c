#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/num.h"

char str_nothing[1];

void
str_free(struct str *a)
{
	if (a->size != 0)
		free(a->s);
	*a = (struct str)STR_INIT;
}

void
str_clear(struct str *a)
{
	str_truncate(a, 0);
}

void
str_truncate(struct str *a, size_t len)
{
	assert(len <= a->len);
	a->len = len;
	if (a->size != 0)
		a->s[len] = '\0';
}

struct span
str_span(const struct str *a)
{
	return (struct span){a->s, a->len};
}

int
str_try_reserve(struct str *a, size_t extra)
{
	size_t need, size;
	char *grown;

	if (extra >= SIZE_MAX / 2 || a->len >= SIZE_MAX / 2 - extra) {
		errno = ENOMEM;
		return -1;
	}
	need = a->len + extra + 1;
	if (need <= a->size)
		return 0;
	/* growing by half bounds the copies by a constant a byte */
	size = need + need / 2 + 24;
	grown = mem_try_resize(a->size ? a->s : NULL, size, 1);
	if (grown == NULL)
		return -1;
	if (a->size == 0)
		grown[0] = '\0';
	a->s = grown;
	a->size = size;
	return 0;
}

void
str_reserve(struct str *a, size_t extra)
{
	if (str_try_reserve(a, extra) == -1)
		die_temp("out of memory");
}

/* True if buf lies in a's own memory, which growing may move. */
static bool
is_inside(const struct str *a, const char *buf)
{
	uintptr_t at = (uintptr_t)buf, start = (uintptr_t)a->s;

	return a->size != 0 && at >= start && at < start + a->size;
}

int
str_try_append(struct str *a, const char *buf, size_t len)
{
	size_t offset = 0;
	bool inside = is_inside(a, buf);

	if (inside)
		offset = (size_t)(buf - a->s);
	if (str_try_reserve(a, len) == -1)
		return -1;
	if (inside)
		buf = a->s + offset;
	if (len > 0)
		memmove(a->s + a->len, buf, len);
	a->len += len;
	a->s[a->len] = '\0';
	return 0;
}

void
str_append(struct str *a, const char *buf, size_t len)
{
	if (str_try_append(a, buf, len) == -1)
		die_temp("out of memory");
}

void
str_append_cstr(struct str *a, const char *cstr)
{
	str_append(a, cstr, strlen(cstr));
}

void
str_append_span(struct str *a, struct span b)
{
	str_append(a, b.s, b.len);
}

void
str_append_char(struct str *a, char byte)
{
	str_append(a, &byte, 1);
}

void
str_append_u64(struct str *a, uint64_t number)
{
	char room[NUM_DIGITS];

	str_append_span(a, num_format(room, number));
}

static void append_format(struct str *a, const char *format, va_list args)
    PRINTF_LIKE(2, 0) __attribute__((nonnull));

static void
append_format(struct str *a, const char *format, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	assert(len >= 0); /* our own formats only */
	str_reserve(a, (size_t)len);
	(void)vsnprintf(a->s + a->len, (size_t)len + 1, format, again);
	a->len += (size_t)len;
	va_end(again);
}

void
str_append_format(struct str *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append_format(a, format, args);
	va_end(args);
}

void
str_format(struct str *a, const char *format, ...)
{
	va_list args;

	str_clear(a);
	va_start(args, format);
	append_format(a, format, args);
	va_end(args);
}

void
str_copy(struct str *a, struct span b)
{
	/* b may lie in a: move it to the front, then cut */
	if (is_inside(a, b.s)) {
		memmove(a->s, b.s, b.len);
		a->len = b.len;
		a->s[b.len] = '\0';
		return;
	}
	str_clear(a);
	str_append_span(a, b);
}

void
str_remove_front(struct str *a, size_t count)
{
	assert(count <= a->len);
	if (count == 0)
		return;
	memmove(a->s, a->s + count, a->len - count);
	a->len -= count;
	a->s[a->len] = '\0';
}
