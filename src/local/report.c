#include "local/report.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static const char cut_note[] = "\nThe report was too long: cut here.\n";

void
report_add(struct report *report, struct span bytes)
{
	if (report->max != 0 && bytes.len > report->max - report->text.len) {
		bytes.len = report->max - report->text.len;
		report->too_long = true;
	}
	str_append_span(&report->text, bytes);
}

static void add_line(struct report *report, const char *format, va_list args)
    PRINTF_LIKE(2, 0);

static void
add_line(struct report *report, const char *format, va_list args)
{
	char line[2048]; /* our own sentence around one quoted name */
	int len = vsnprintf(line, sizeof(line), format, args);

	assert(len >= 0 && (size_t)len < sizeof(line));
	report_add(report, (struct span){line, (size_t)len});
	report_add(report, SPAN_LITERAL("\n"));
}

void
report_line(struct report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(report, format, args);
	va_end(args);
}

int
report_perm(struct report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(report, format, args);
	va_end(args);
	return EXIT_PERM;
}

int
report_temp(struct report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(report, format, args);
	va_end(args);
	return EXIT_TEMP;
}

void
report_finish(struct report *report)
{
	size_t nul = span_find(str_span(&report->text), '\0');

	if (nul != SPAN_NONE) {
		str_truncate(&report->text, nul);
		return;
	}
	if (!report->too_long)
		return;
	assert(report->max >= sizeof(cut_note));
	str_truncate(&report->text, report->max - (sizeof(cut_note) - 1));
	str_append(&report->text, cut_note, sizeof(cut_note) - 1);
}
