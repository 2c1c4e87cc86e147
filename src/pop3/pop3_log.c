#include "pop3/pop3_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "base/str.h"
#include "mail/address.h"

static void
append_value(struct str *line, const char *name, struct span value)
{
	if (value.len > POP3_LOG_SHOWN_MAX)
		value.len = POP3_LOG_SHOWN_MAX;
	str_append_cstr(line, name);
	address_append_safe(line, value, true);
}

void
pop3_log(struct span user, const char *format, ...)
{
	const char *ip = getenv("TCPREMOTEIP");
	struct str line = STR_INIT;
	char rest[200]; /* numbers and our own words */
	va_list list;

	va_start(list, format);
	if (vsnprintf(rest, sizeof(rest), format, list) < 0)
		rest[0] = '\0';
	va_end(list);
	append_value(&line, " ip=", span_of(ip != NULL ? ip : "unknown"));
	append_value(&line, " user=", user);
	warn_plain("pid=%ld%s %s", (long)getpid(), line.s, rest);
	str_free(&line);
}
