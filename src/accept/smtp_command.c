#include "accept/smtp_command.h"

#include "base/num.h"
#include "mail/command.h"

static const struct command_word words[] = {
    {"mail", SMTP_MAIL},
    {"rcpt", SMTP_RCPT},
    {"data", SMTP_DATA},
    {"ehlo", SMTP_EHLO},
    {"helo", SMTP_HELO},
    {"quit", SMTP_QUIT},
    {"rset", SMTP_RSET},
    {"noop", SMTP_NOOP},
    {"vrfy", SMTP_VRFY},
    {"help", SMTP_HELP},
    /* what a web browser says that was sent here by a page */
    {"get", SMTP_HTTP},
    {"head", SMTP_HTTP},
    {"post", SMTP_HTTP},
    {"put", SMTP_HTTP},
    {"options", SMTP_HTTP},
    {"connect", SMTP_HTTP},
};

enum smtp_verb
smtp_command_parse(struct span line, struct span *argument)
{
	return (enum smtp_verb)command_parse(
	    line, words, COUNT(words), argument);
}

int
smtp_command_size(struct span parameters, uint64_t *size_bytes)
{
	static const char name[] = "size=";

	for (;;) {
		size_t end;

		parameters = command_skip_spaces(parameters);
		if (parameters.len == 0)
			return 0;
		end = span_find(parameters, ' ');
		if (end == SPAN_NONE)
			end = parameters.len;
		if (span_starts_nocase(span_until(parameters, end), name)) {
			struct span value =
			    span_from(parameters, sizeof(name) - 1);

			return num_leading_u64(value, size_bytes) > 0;
		}
		parameters = span_from(parameters, end);
	}
}
