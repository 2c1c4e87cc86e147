/* tokens of an address field: what is shown for them is read as the same
   tokens, and holds no line end that would start a field */
#include "../fuzz.h"

#include "mail/token.h"

/* As it is shown, a space between all. */
static void
show(struct str *to, const struct token_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			str_append_char(to, ' ');
		token_append_shown(to, list, i, list->tokens[i].len);
	}
}

static void
check_lines(struct span shown)
{
	for (size_t i = 0; i < shown.len; i++) {
		if (shown.s[i] == '\n')
			require(i + 1 < shown.len &&
			    (shown.s[i + 1] == ' ' || shown.s[i + 1] == '\t'));
	}
}

/* A line end in a word may have become a space. */
static bool
is_same(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (a.s[i] != b.s[i] && (a.s[i] != '\n' || b.s[i] != ' '))
			return false;
	}
	return true;
}

/* An escaped dot is shown without its backslash: two words and a dot mean the
   same address as one word with a dot in it. */
static bool
has_dotted_atom(const struct token_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->tokens[i].kind == TOKEN_ATOM &&
		    span_find(token_text(list, i), '.') != SPAN_NONE)
			return true;
	}
	return false;
}

static void
check_same(const struct token_list *list, const struct token_list *again)
{
	require(again->count == list->count);
	for (size_t i = 0; i < list->count; i++) {
		unsigned kind = list->tokens[i].kind;

		/* what must be quoted comes back as quoted */
		if (kind == TOKEN_ATOM &&
		    token_atom_needs_quotes(token_text(list, i)))
			kind = TOKEN_QUOTED;
		require(again->tokens[i].kind == kind);
		require(is_same(token_text(list, i), token_text(again, i)));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct token_list list = TOKEN_LIST_INIT, again = TOKEN_LIST_INIT;
	struct str shown = STR_INIT;

	if (token_parse(&list, text) == -1) {
		require(list.count == 0);
	} else {
		require(list.bytes.len <= size && list.count <= size);
		show(&shown, &list);
		check_lines(str_span(&shown));
		require(token_parse(&again, str_span(&shown)) == 0);
		if (!has_dotted_atom(&list))
			check_same(&list, &again);
	}
	token_list_free(&list);
	token_list_free(&again);
	str_free(&shown);
	return 0;
}
