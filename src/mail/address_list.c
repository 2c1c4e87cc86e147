#include "mail/address_list.h"

#include <stdlib.h>

#include "base/mem.h"
#include "mail/token.h"

/* What a body consists of; first and end are token indexes. */
enum piece_kind {
	PIECE_BARE,      /* joe@host, with comments anywhere in it */
	PIECE_BRACKETED, /* what is between < and > */
	PIECE_PHRASE,    /* words before < or before the colon of a group */
	PIECE_COMMENTS,  /* comments that belong to no address */
	PIECE_COMMA,
	PIECE_COLON,
	PIECE_SEMICOLON,
};

struct piece {
	uint8_t kind;
	uint32_t first, end;
};

struct parser {
	struct token_list tokens;
	size_t left;          /* tokens not yet looked at: 0 up to left */
	struct piece *pieces; /* in the order found: right to left */
	size_t count, room;
	bool in_group;
};

static void
add_piece(struct parser *p, enum piece_kind kind, size_t first, size_t end)
{
	if (p->count == p->room) {
		p->room = p->room + p->room / 2 + 16;
		p->pieces = mem_resize(p->pieces, p->room, sizeof(*p->pieces));
	}
	p->pieces[p->count++] =
	    (struct piece){(uint8_t)kind, (uint32_t)first, (uint32_t)end};
}

static bool
is_address_part(const struct token *token)
{
	return token_is_word(token) || token->kind == TOKEN_COMMENT ||
	    token->kind == TOKEN_DOT || token->kind == TOKEN_AT;
}

/* True if what was found last would run into an address to the left of it. */
static bool
lacks_comma(const struct parser *p)
{
	return p->count > 0 && p->pieces[p->count - 1].kind != PIECE_COMMA &&
	    p->pieces[p->count - 1].kind != PIECE_SEMICOLON &&
	    p->pieces[p->count - 1].kind != PIECE_COMMENTS;
}

static void
take_phrase(struct parser *p)
{
	size_t end = p->left;

	while (p->left > 0 && is_address_part(&p->tokens.tokens[p->left - 1]))
		p->left--;
	if (p->left < end)
		add_piece(p, PIECE_PHRASE, p->left, end);
}

static int
take_bracketed(struct parser *p)
{
	size_t end = p->left - 1; /* the > */
	size_t i = end;

	while (i > 0 && p->tokens.tokens[i - 1].kind != TOKEN_OPEN) {
		if (p->tokens.tokens[i - 1].kind == TOKEN_CLOSE)
			return -1;
		i--;
	}
	if (i == 0)
		return -1;
	add_piece(p, PIECE_BRACKETED, i, end);
	p->left = i - 1;
	take_phrase(p);
	return 0;
}

/* Up to where two words meet without '.' or '@' between them. */
static void
take_bare(struct parser *p)
{
	bool word = false, any = false;
	size_t end = p->left;

	while (p->left > 0) {
		const struct token *token = &p->tokens.tokens[p->left - 1];

		if (!is_address_part(token) || (word && token_is_word(token)))
			break;
		if (token->kind != TOKEN_COMMENT) {
			word = token_is_word(token);
			any = true;
		}
		p->left--;
	}
	add_piece(p, any ? PIECE_BARE : PIECE_COMMENTS, p->left, end);
	/* words or a > to the left: they are another address */
	if (any && p->left > 0 &&
	    (token_is_word(&p->tokens.tokens[p->left - 1]) ||
		p->tokens.tokens[p->left - 1].kind == TOKEN_CLOSE))
		add_piece(p, PIECE_COMMA, p->left, p->left);
}

static int
take_next(struct parser *p)
{
	size_t i = p->left - 1;

	switch (p->tokens.tokens[i].kind) {
	case TOKEN_COMMA:
		add_piece(p, PIECE_COMMA, i, i + 1);
		p->left--;
		return 0;
	case TOKEN_SEMICOLON:
		if (p->in_group)
			return -1;
		if (lacks_comma(p))
			add_piece(p, PIECE_COMMA, i + 1, i + 1);
		p->in_group = true;
		add_piece(p, PIECE_SEMICOLON, i, i + 1);
		p->left--;
		return 0;
	case TOKEN_COLON:
		if (!p->in_group)
			return -1;
		p->in_group = false;
		add_piece(p, PIECE_COLON, i, i + 1);
		p->left--;
		take_phrase(p);
		return 0;
	case TOKEN_CLOSE:
		return take_bracketed(p);
	case TOKEN_OPEN:
		return -1;
	default:
		take_bare(p);
		return 0;
	}
}

static int
find_pieces(struct parser *p)
{
	p->left = p->tokens.count;
	while (p->left > 0) {
		if (take_next(p) == -1)
			return -1;
	}
	return p->in_group ? -1 : 0;
}

/* Visits the tokens of an address or phrase from first up to end. */
static void
append_words(struct str *to, const struct parser *p, size_t first, size_t end,
    size_t chop, bool comments, bool plain)
{
	bool word = false;

	for (size_t i = first; i < end; i++) {
		const struct token *token = &p->tokens.tokens[i];
		bool is_word = token_is_word(token) ||
		    (token->kind == TOKEN_COMMENT && comments);
		size_t len = token->len - (i + 1 == end ? chop : 0);

		if (token->kind == TOKEN_COMMENT && !comments)
			continue;
		if (word && is_word)
			str_append_char(to, ' ');
		word = is_word;
		if (plain)
			token_append_plain(to, &p->tokens, i, len);
		else
			token_append_shown(to, &p->tokens, i, len);
	}
}

static void
append_comments(
    struct str *to, const struct parser *p, const struct piece *piece)
{
	for (size_t i = piece->first; i < piece->end; i++) {
		if (p->tokens.tokens[i].kind != TOKEN_COMMENT)
			continue;
		if (to->len > 0 && to->s[to->len - 1] != ' ' &&
		    to->s[to->len - 1] != '<')
			str_append_char(to, ' ');
		token_append_shown(to, &p->tokens, i, p->tokens.tokens[i].len);
	}
}

static void
append_address(struct str *to, const struct parser *p,
    const struct piece *piece, const struct rewrite *rules, bool plain)
{
	struct rewrite_plan plan =
	    rewrite_tokens(rules, &p->tokens, piece->first, piece->end);

	append_words(to, p, plan.first, plan.end, plan.chop, false, plain);
	str_append_span(to, plan.suffix);
}

/* A space belongs between what is in item and the piece behind it. */
static bool
wants_space(
    const struct parser *p, enum piece_kind before, const struct piece *piece)
{
	switch (piece->kind) {
	case PIECE_BRACKETED:
		return true;
	case PIECE_COMMA:
	case PIECE_COLON:
		return false;
	case PIECE_SEMICOLON:
		return before == PIECE_COLON;
	default:
		/* "<a@b>(note)", as qmail writes it */
		return before != PIECE_BRACKETED ||
		    p->tokens.tokens[piece->first].kind != TOKEN_COMMENT;
	}
}

static void
append_piece(struct str *to, const struct parser *p, const struct piece *piece,
    const struct rewrite *rules)
{
	switch (piece->kind) {
	case PIECE_COMMA:
		str_append_char(to, ',');
		return;
	case PIECE_COLON:
		str_append_char(to, ':');
		return;
	case PIECE_SEMICOLON:
		str_append_char(to, ';');
		return;
	case PIECE_PHRASE:
	case PIECE_COMMENTS:
		append_words(to, p, piece->first, piece->end, 0, true, false);
		return;
	case PIECE_BRACKETED:
		str_append_char(to, '<');
		append_address(to, p, piece, rules, false);
		append_comments(to, p, piece);
		str_append_char(to, '>');
		return;
	default:
		append_address(to, p, piece, rules, false);
		append_comments(to, p, piece);
	}
}

/* Moves item to the end of shown, on a new line if this one would get too
   long. column is that of the line as it stands. */
static void
flush_item(struct str *shown, size_t *column, struct str *item, bool may_fold)
{
	size_t line = span_find_last(str_span(item), '\n');

	if (item->len == 0)
		return;
	if (may_fold && *column + 1 + item->len > ADDRESS_LIST_COLUMNS) {
		str_append_cstr(shown, "\n ");
		*column = 1;
	}
	str_append_char(shown, ' ');
	str_append_span(shown, str_span(item));
	*column =
	    line == SPAN_NONE ? *column + 1 + item->len : item->len - line - 1;
	str_clear(item);
}

static void
append_shown(struct str *shown, const struct parser *p, size_t column,
    const struct rewrite *rules)
{
	struct str item = STR_INIT;
	enum piece_kind before = PIECE_COMMA;
	bool first = true;

	for (size_t i = p->count; i > 0; i--) {
		const struct piece *piece = &p->pieces[i - 1];

		if (item.len > 0 && wants_space(p, before, piece))
			str_append_char(&item, ' ');
		append_piece(&item, p, piece, rules);
		before = (enum piece_kind)piece->kind;
		if (before == PIECE_COMMA) {
			flush_item(shown, &column, &item, !first);
			first = false;
		}
	}
	flush_item(shown, &column, &item, !first);
	str_free(&item);
}

int
address_list_parse(struct address_list *list, struct str *shown, size_t column,
    struct span body, const struct rewrite *rules)
{
	struct parser p = {.tokens = TOKEN_LIST_INIT};
	struct str address = STR_INIT;
	int result = token_parse(&p.tokens, body);

	if (result == 0)
		result = find_pieces(&p);
	for (size_t i = 0; i < p.count; i++) {
		if (p.pieces[i].kind != PIECE_BARE &&
		    p.pieces[i].kind != PIECE_BRACKETED)
			continue;
		str_clear(&address);
		append_address(&address, &p, &p.pieces[i], rules, true);
		address_list_add(list, str_span(&address));
	}
	if (result == 0 && shown != NULL)
		append_shown(shown, &p, column, rules);
	str_free(&address);
	free(p.pieces);
	token_list_free(&p.tokens);
	return result;
}

void
address_list_add(struct address_list *list, struct span address)
{
	if (list->count == list->room) {
		list->room = list->room + list->room / 2 + 16;
		list->ends =
		    mem_resize(list->ends, list->room, sizeof(*list->ends));
	}
	str_append_span(&list->bytes, address);
	list->ends[list->count++] = list->bytes.len;
}

struct span
address_list_get(const struct address_list *list, size_t index)
{
	size_t start = index == 0 ? 0 : list->ends[index - 1];

	return (struct span){list->bytes.s + start, list->ends[index] - start};
}

void
address_list_free(struct address_list *list)
{
	str_free(&list->bytes);
	free(list->ends);
	*list = (struct address_list)ADDRESS_LIST_INIT;
}
