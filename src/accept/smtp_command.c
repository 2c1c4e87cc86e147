#include "accept/smtp_command.h"

#include "base/num.h"

static const struct {
	const char *word;
	enum smtp_verb verb;
} verbs[] = {
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
};

static struct span
skip_spaces(struct span text)
{
	while (text.len > 0 && text.s[0] == ' ')
		text = span_from(text, 1);
	return text;
}

enum smtp_verb
smtp_command_parse(struct span line, struct span *argument)
{
	struct span verb;
	size_t at;

	if (line.len > 0 && line.s[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.s[line.len - 1] == '\r')
		line.len--;
	at = span_find(line, ' ');
	verb = at == SPAN_NONE ? line : span_until(line, at);
	*argument = skip_spaces(span_from(line, verb.len));
	for (size_t i = 0; i < COUNT(verbs); i++) {
		if (span_equal_nocase(verb, span_of(verbs[i].word)))
			return verbs[i].verb;
	}
	return SMTP_UNKNOWN;
}

int
smtp_command_size(struct span parameters, uint64_t *size_bytes)
{
	static const char name[] = "size=";

	for (;;) {
		size_t end;

		parameters = skip_spaces(parameters);
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
