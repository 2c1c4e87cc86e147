#include "accept/log_line.h"

#include "mail/address.h"

static void
start_field(struct str *line, const char *name)
{
	if (line->len > 0)
		str_append_char(line, ' ');
	str_append_cstr(line, name);
	str_append_char(line, '=');
}

void
log_line_add(struct str *line, const char *name, struct span value)
{
	start_field(line, name);
	if (value.len > LOG_LINE_SHOWN_MAX)
		value.len = LOG_LINE_SHOWN_MAX;
	address_append_safe(line, value, true);
}

void
log_line_add_u64(struct str *line, const char *name, uint64_t value)
{
	start_field(line, name);
	str_append_u64(line, value);
}
