#include "base/die.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	const char *name;
	char quoted[4][204];
	size_t turn;
} die_state = {.name = "cqmail"};

void
die_init(const char *name)
{
	die_state.name = name;
}

const char *
die_name(void)
{
	return die_state.name;
}

static void speak(int error, const char *format, va_list args)
    PRINTF_LIKE(2, 0);

static void
speak(int error, const char *format, va_list args)
{
	char line[1024];
	size_t len = 0;
	int add;

	add = snprintf(line, sizeof(line), "%s: ", die_state.name);
	if (add > 0)
		len = (size_t)add;
	if (len < sizeof(line)) {
		add = vsnprintf(line + len, sizeof(line) - len, format, args);
		if (add > 0)
			len += (size_t)add;
	}
	if (error != 0 && len < sizeof(line)) {
		add = snprintf(
		    line + len, sizeof(line) - len, ": %s", strerror(error));
		if (add > 0)
			len += (size_t)add;
	}
	if (len > sizeof(line) - 1)
		len = sizeof(line) - 1;
	line[len++] = '\n';
	/* one write, so that lines of several processes do not mix; if stderr
	   is gone there is nobody left to tell */
	if (write(2, line, len) == -1)
		return;
}

void
die_usage(const char *synopsis)
{
	die_perm("usage: %s", synopsis);
}

void
die_perm(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	speak(0, format, args);
	va_end(args);
	_exit(EXIT_PERM);
}

void
die_temp(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	speak(0, format, args);
	va_end(args);
	_exit(EXIT_TEMP);
}

void
die_sys(const char *format, ...)
{
	va_list args;
	int error = errno;

	va_start(args, format);
	speak(error, format, args);
	va_end(args);
	_exit(EXIT_TEMP);
}

void
warn_plain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	speak(0, format, args);
	va_end(args);
}

void
warn_sys(const char *format, ...)
{
	va_list args;
	int error = errno;

	va_start(args, format);
	speak(error, format, args);
	va_end(args);
}

const char *
quote_span(struct span bytes)
{
	char *out = die_state.quoted[die_state.turn++ % 4];
	size_t i;

	for (i = 0; i < bytes.len && i < 200; i++) {
		out[i] = bytes.s[i];
		if (out[i] < 32 || out[i] > 126)
			out[i] = '?';
	}
	if (i < bytes.len) {
		memcpy(out + i, "...", 3);
		i += 3;
	}
	out[i] = '\0';
	return out;
}

const char *
quote(const char *cstr)
{
	return quote_span(span_of(cstr));
}
