#include "pop3/pop3_command.h"

#include "base/num.h"

static const struct {
	const char *word;
	enum pop3_verb verb;
} verbs[] = {
    {"apop", POP3_APOP},
    {"auth", POP3_AUTH},
    {"capa", POP3_CAPA},
    {"dele", POP3_DELE},
    {"last", POP3_LAST},
    {"list", POP3_LIST},
    {"noop", POP3_NOOP},
    {"pass", POP3_PASS},
    {"quit", POP3_QUIT},
    {"retr", POP3_RETR},
    {"rset", POP3_RSET},
    {"stat", POP3_STAT},
    {"top", POP3_TOP},
    {"uidl", POP3_UIDL},
    {"user", POP3_USER},
};

static struct span
skip_spaces(struct span text)
{
	while (text.len > 0 && text.s[0] == ' ')
		text = span_from(text, 1);
	return text;
}

enum pop3_verb
pop3_command_parse(struct span line, struct span *argument)
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
	return POP3_UNKNOWN;
}

int
pop3_command_number(struct span *argument, uint64_t *number)
{
	size_t digits = num_leading_u64(*argument, number);

	*argument = skip_spaces(span_from(*argument, digits));
	return digits > 0;
}
