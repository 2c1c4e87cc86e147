#include "mail/command.h"

struct span
command_skip_spaces(struct span text)
{
	while (text.len > 0 && text.s[0] == ' ')
		text = span_from(text, 1);
	return text;
}

int
command_parse(struct span line, const struct command_word *words, size_t count,
    struct span *argument)
{
	struct span word;
	size_t at;

	if (line.len > 0 && line.s[line.len - 1] == '\n')
		line.len--;
	if (line.len > 0 && line.s[line.len - 1] == '\r')
		line.len--;
	at = span_find(line, ' ');
	word = at == SPAN_NONE ? line : span_until(line, at);
	*argument = command_skip_spaces(span_from(line, word.len));
	for (size_t i = 0; i < count; i++) {
		if (span_equal_nocase(word, span_of(words[i].word)))
			return words[i].verb;
	}
	return 0;
}
