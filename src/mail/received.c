#include "mail/received.h"

#include <string.h>

#include "base/clock.h"

static bool
is_safe(char byte)
{
	if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	    (byte >= '0' && byte <= '9'))
		return true;
	return byte != '\0' && strchr(".@%+/=:-[]", byte) != NULL;
}

static void
append_safe(struct str *to, struct span part)
{
	for (size_t i = 0; i < part.len && i < RECEIVED_PART_MAX; i++)
		str_append_char(to, is_safe(part.s[i]) ? part.s[i] : '?');
}

void
received_append(struct str *to, const struct received *received, int64_t when_s)
{
	str_append_cstr(to, "Received: from ");
	append_safe(to, received->host);
	if (received->has_helo &&
	    !span_equal_nocase(received->helo, received->host)) {
		str_append_cstr(to, " (HELO ");
		append_safe(to, received->helo);
		str_append_cstr(to, ")");
	}
	str_append_cstr(to, " (");
	if (received->has_info) {
		append_safe(to, received->info);
		str_append_cstr(to, "@");
	}
	append_safe(to, received->ip);
	str_append_cstr(to, ")\n  by ");
	append_safe(to, received->local);
	str_append_cstr(to, " with ");
	append_safe(to, received->protocol);
	str_append_cstr(to, "; ");
	clock_append_date(to, when_s);
	str_append_cstr(to, "\n");
}
