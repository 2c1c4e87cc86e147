/*
 * token - the lexical level of address fields
 * Source: RFC 822 section 3.3 and RFC 5322 section 3.2, read with qmail's
 * tolerance: ')' and ']' without partner, and bytes over 127, are atom bytes.
 *
 * A field body becomes a row of tokens whose bytes are decoded: without
 * quotes, brackets, parentheses and backslashes. White space (space, tab, CR,
 * LF) only separates. Pure.
 */
#ifndef MAIL_TOKEN_H
#define MAIL_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum token_kind {
	TOKEN_ATOM,
	TOKEN_QUOTED,  /* "..." */
	TOKEN_LITERAL, /* [...] */
	TOKEN_COMMENT, /* (...), nested parentheses dropped */
	TOKEN_COMMA,
	TOKEN_AT,
	TOKEN_DOT,
	TOKEN_OPEN,  /* < */
	TOKEN_CLOSE, /* > */
	TOKEN_COLON,
	TOKEN_SEMICOLON,
};

struct token {
	uint8_t kind;
	uint32_t start, len; /* in the list's bytes */
};

struct token_list {
	struct token *tokens;
	size_t count, room;
	struct str bytes;
};

#define TOKEN_LIST_INIT                                                        \
	{                                                                      \
		NULL, 0, 0, STR_INIT                                           \
	}

enum {
	TOKEN_TEXT_MAX = 64 * 1024 * 1024, /* bytes that can be read at once */
};

/*
 * Replaces the content of list by the tokens of text. Returns 0; -1 if a
 * quote, bracket or parenthesis is not closed (or text is over the maximum);
 * then list is empty. Exhausted memory ends the process.
 */
MUST_USE int token_parse(struct token_list *list, struct span text);
void token_list_free(struct token_list *list);

/* The decoded bytes; valid until list changes. */
struct span token_text(const struct token_list *list, size_t index);
/* Atom, quoted string or literal. */
bool token_is_word(const struct token *token);
/* True for an atom that must be written as a quoted string. */
bool token_atom_needs_quotes(struct span bytes);

/* Appends the token as a header shows it; only the first len of its bytes. */
void token_append_shown(
    struct str *to, const struct token_list *list, size_t index, size_t len);
/* Appends the token as the envelope holds it: no quotes, no backslashes. */
void token_append_plain(
    struct str *to, const struct token_list *list, size_t index, size_t len);
/*
 * Appends open, bytes, close with a backslash before " [ ] ( ) \ CR and LF. An
 * LF that no space or tab follows would end the field: it becomes a space.
 */
void token_append_escaped(
    struct str *to, char open, struct span bytes, char close);

#endif
