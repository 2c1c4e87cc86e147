#include "admin/check_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "admin/control_text.h"

enum {
	WORDS_MAX = 1024, /* bytes of a finding's own words; the rest is cut */
};

void
check_report_add(struct check_report *report, struct check_advice advice,
    const char *file, size_t line, const char *format, ...)
{
	struct str *to = &report->findings;
	char words[WORDS_MAX];
	va_list arguments;

	va_start(arguments, format);
	if (vsnprintf(words, sizeof(words), format, arguments) < 0)
		words[0] = '\0'; /* the place alone is still of use */
	va_end(arguments);
	control_text_append_safe(to, span_of(file));
	str_append_char(to, ':');
	if (line > 0) {
		str_append_u64(to, line);
		str_append_char(to, ':');
	}
	str_append_char(to, ' ');
	control_text_append_safe(to, span_of(words));
	str_append_format(
	    to, "\n    so: %s\n    do: %s\n", advice.so, advice.remedy);
	report->finding_count++;
}

void
check_report_trouble(struct check_report *report, const char *file, int error)
{
	str_append_cstr(&report->troubles, "cannot look at ");
	control_text_append_safe(&report->troubles, span_of(file));
	str_append_format(&report->troubles, ": %s\n", strerror(error));
	report->trouble_count++;
}

void
check_report_free(struct check_report *report)
{
	str_free(&report->findings);
	str_free(&report->troubles);
	*report = (struct check_report)CHECK_REPORT_INIT;
}
