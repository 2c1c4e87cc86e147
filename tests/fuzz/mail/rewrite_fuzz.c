/*
 * Default host, default domain, plus domain and an address, each up to a NUL:
 * the completed address has a host with a dot, and completing it again
 * changes nothing; and the tokens of an address tell the same as its bytes.
 */
#include "../fuzz.h"

#include "mail/address.h"
#include "mail/rewrite.h"

/* The address that a plan makes. */
static void
carry_out(struct str *to, const struct rewrite_plan *plan,
    const struct token_list *list)
{
	for (size_t i = plan->first; i < plan->end; i++) {
		size_t len = list->tokens[i].len;

		if (list->tokens[i].kind == TOKEN_COMMENT)
			continue;
		if (i + 1 == plan->end) {
			require(len >= plan->chop);
			len -= plan->chop;
		}
		token_append_plain(to, list, i, len);
	}
	str_append_span(to, plan->suffix);
}

static void
check_tokens(const struct rewrite *rules, struct span address)
{
	struct token_list list = TOKEN_LIST_INIT;
	struct str made = STR_INIT;
	struct rewrite_plan plan;

	if (token_parse(&list, address) == 0) {
		plan = rewrite_tokens(rules, &list, 0, list.count);
		require(plan.first <= plan.end && plan.end <= list.count);
		carry_out(&made, &plan, &list);
		require(made.len <= address.len + plan.suffix.len);
		if (plan.first < plan.end && made.len > 0 &&
		    !span_equal(plan.suffix, (struct span){"", 0}))
			require(address_at(str_span(&made)) != SPAN_NONE);
	}
	token_list_free(&list);
	str_free(&made);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, address, host;
	struct rewrite rules = REWRITE_INIT;
	struct str made = STR_INIT, again = STR_INIT;
	struct span names[3];

	for (size_t i = 0; i < 3; i++)
		names[i] = fuzz_until(&input, '\0');
	address = input;
	rewrite_set(&rules, names[0], names[1], names[2]);
	for (size_t i = 0; i < rules.host.len; i++)
		require((unsigned char)rules.host.s[i] >= 32 &&
		    rules.host.s[i] != 127);
	rewrite_append_plain(&made, &rules, address);
	if (address.len == 0) {
		require(made.len == 0);
	} else {
		require(address_at(str_span(&made)) != SPAN_NONE);
		host = address_domain(str_span(&made));
		require(span_find(host, '.') != SPAN_NONE ||
		    (host.len > 1 && host.s[0] == '[') ||
		    span_find(names[0], '[') != SPAN_NONE ||
		    fuzz_count(str_span(&rules.host), '@') > 1 ||
		    fuzz_count(str_span(&rules.domain), '@') > 0 ||
		    fuzz_count(str_span(&rules.plus), '@') > 0);
	}
	check_tokens(&rules, address);
	rewrite_free(&rules);
	str_free(&made);
	str_free(&again);
	return 0;
}
