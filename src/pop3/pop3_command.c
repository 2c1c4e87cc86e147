#include "pop3/pop3_command.h"

#include "base/num.h"
#include "mail/command.h"

static const struct command_word words[] = {
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

enum pop3_verb
pop3_command_parse(struct span line, struct span *argument)
{
	return (enum pop3_verb)command_parse(
	    line, words, COUNT(words), argument);
}

int
pop3_command_number(struct span *argument, uint64_t *number)
{
	size_t digits = num_leading_u64(*argument, number);

	*argument = command_skip_spaces(span_from(*argument, digits));
	return digits > 0;
}
