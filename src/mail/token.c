#include "mail/token.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void
add_token(struct token_list *list, enum token_kind kind, size_t start)
{
	if (list->count == list->room) {
		size_t room = list->room + list->room / 2 + 16;

		list->tokens =
		    mem_resize(list->tokens, room, sizeof(*list->tokens));
		list->room = room;
	}
	list->tokens[list->count++] = (struct token){(uint8_t)kind,
	    (uint32_t)start, (uint32_t)(list->bytes.len - start)};
}

/* Up to the closing byte, which is taken too. Returns where the next token may
   start, or SPAN_NONE if there is no end. */
static size_t
take_enclosed(struct token_list *list, struct span text, size_t i, char close)
{
	size_t depth = 1;

	for (; i < text.len; i++) {
		char byte = text.s[i];

		if (byte == close) {
			if (--depth == 0)
				return i + 1;
			continue;
		}
		if (close == ')' && byte == '(') {
			depth++;
			continue;
		}
		if (byte == '\\' && i + 1 < text.len)
			byte = text.s[++i];
		str_append_char(&list->bytes, byte);
	}
	return SPAN_NONE;
}

static bool
ends_atom(char byte)
{
	return byte == '\0' ? false
			    : strchr(" \t\r\n(<>@,;:.[\"", byte) != NULL;
}

static size_t
take_atom(struct token_list *list, struct span text, size_t i)
{
	for (; i < text.len && !ends_atom(text.s[i]); i++) {
		if (text.s[i] == '\\' && i + 1 < text.len) {
			/* an escaped line end is white space: as a byte of a
			   word it could start a line of its own */
			if (text.s[i + 1] == '\n')
				return i + 1;
			i++;
		}
		str_append_char(&list->bytes, text.s[i]);
	}
	return i;
}

static size_t
take_token(struct token_list *list, struct span text, size_t i)
{
	static const char singles[] = ",@.<>:;";
	size_t start = list->bytes.len;
	enum token_kind kind;
	const char *single;

	switch (text.s[i]) {
	case '"':
		kind = TOKEN_QUOTED;
		i = take_enclosed(list, text, i + 1, '"');
		break;
	case '[':
		kind = TOKEN_LITERAL;
		i = take_enclosed(list, text, i + 1, ']');
		break;
	case '(':
		kind = TOKEN_COMMENT;
		i = take_enclosed(list, text, i + 1, ')');
		break;
	default:
		single = text.s[i] ? strchr(singles, text.s[i]) : NULL;
		if (single != NULL) {
			add_token(list,
			    (enum token_kind)(TOKEN_COMMA + (single - singles)),
			    start);
			return i + 1;
		}
		i = take_atom(list, text, i);
		if (list->bytes.len == start)
			return i; /* only an escaped line end */
		kind = TOKEN_ATOM;
	}
	if (i != SPAN_NONE)
		add_token(list, kind, start);
	return i;
}

int
token_parse(struct token_list *list, struct span text)
{
	size_t i = 0;

	list->count = 0;
	str_clear(&list->bytes);
	if (text.len > TOKEN_TEXT_MAX)
		return -1;
	while (i < text.len) {
		char byte = text.s[i];

		if (byte == ' ' || byte == '\t' || byte == '\r' ||
		    byte == '\n') {
			i++;
			continue;
		}
		i = take_token(list, text, i);
		if (i == SPAN_NONE) {
			list->count = 0;
			return -1;
		}
	}
	return 0;
}

void
token_list_free(struct token_list *list)
{
	free(list->tokens);
	str_free(&list->bytes);
	*list = (struct token_list)TOKEN_LIST_INIT;
}

struct span
token_text(const struct token_list *list, size_t index)
{
	const struct token *token = &list->tokens[index];

	return (struct span){list->bytes.s + token->start, token->len};
}

bool
token_is_word(const struct token *token)
{
	return token->kind == TOKEN_ATOM || token->kind == TOKEN_QUOTED ||
	    token->kind == TOKEN_LITERAL;
}

bool
token_atom_needs_quotes(struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char byte = bytes.s[i];

		/* a delimiter that was escaped, a space too, would change what
		   the line means */
		if (byte <= ' ' || byte > 126 ||
		    strchr(")]\\(<>@,;:[\"", byte) != NULL)
			return true;
	}
	return false;
}

void
token_append_escaped(struct str *to, char open, struct span bytes, char close)
{
	str_append_char(to, open);
	for (size_t i = 0; i < bytes.len; i++) {
		char byte = bytes.s[i];

		if (byte == '\n' &&
		    (i + 1 == bytes.len ||
			(bytes.s[i + 1] != ' ' && bytes.s[i + 1] != '\t')))
			byte = ' ';
		if (byte != '\0' && strchr("\"[]()\\\r\n", byte) != NULL)
			str_append_char(to, '\\');
		str_append_char(to, byte);
	}
	str_append_char(to, close);
}

void
token_append_shown(
    struct str *to, const struct token_list *list, size_t index, size_t len)
{
	struct span bytes = span_until(token_text(list, index), len);

	switch (list->tokens[index].kind) {
	case TOKEN_QUOTED:
		token_append_escaped(to, '"', bytes, '"');
		return;
	case TOKEN_LITERAL:
		token_append_escaped(to, '[', bytes, ']');
		return;
	case TOKEN_COMMENT:
		token_append_escaped(to, '(', bytes, ')');
		return;
	case TOKEN_ATOM:
		if (token_atom_needs_quotes(bytes)) {
			token_append_escaped(to, '"', bytes, '"');
			return;
		}
		break;
	default:
		break;
	}
	token_append_plain(to, list, index, len);
}

void
token_append_plain(
    struct str *to, const struct token_list *list, size_t index, size_t len)
{
	struct span bytes = span_until(token_text(list, index), len);
	enum token_kind kind = (enum token_kind)list->tokens[index].kind;

	if (kind >= TOKEN_COMMA) {
		str_append_char(to, ",@.<>:;"[kind - TOKEN_COMMA]);
		return;
	}
	if (kind == TOKEN_LITERAL)
		str_append_char(to, '[');
	str_append_span(to, bytes);
	if (kind == TOKEN_LITERAL)
		str_append_char(to, ']');
}
