/*
 * command - the command lines that SMTP and POP3 share: a word, spaces, the
 *           rest
 * Source: RFC 5321 section 2.3.7, RFC 1939 section 3. Pure.
 */
#ifndef MAIL_COMMAND_H
#define MAIL_COMMAND_H

#include "base/attr.h"
#include "base/span.h"

struct command_word {
	const char *word; /* matched without ASCII case */
	int verb;         /* not 0 */
};

/*
 * Splits line, with or without its LF or CR LF, at the first space. *argument
 * lies in line, without the spaces that lead it. Returns the verb of the word,
 * or 0 if words[0..count) has it not.
 */
int command_parse(struct span line, const struct command_word *words,
    size_t count, struct span *argument);
struct span command_skip_spaces(struct span text);

#endif
