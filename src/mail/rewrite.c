#include "mail/rewrite.h"

#include "mail/address.h"

/* Completes the host that starts at offset start of to. */
static void
complete_host(struct str *to, const struct rewrite *rules, size_t start)
{
	struct span host = span_from(str_span(to), start);

	if (host.len > 0 && host.s[host.len - 1] == '+') {
		str_truncate(to, to->len - 1);
		str_append_span(to, str_span(&rules->plus));
		return;
	}
	if (host.len > 0 && host.s[host.len - 1] == ']' && host.s[0] == '[')
		return;
	if (span_find(host, '.') == SPAN_NONE)
		str_append_span(to, str_span(&rules->domain));
}

static void
set_name(struct str *to, char lead, struct span name)
{
	str_clear(to);
	str_append_char(to, lead);
	for (size_t i = 0; i < name.len; i++) {
		unsigned char byte = (unsigned char)name.s[i];

		str_append_char(
		    to, byte < 32 || byte == 127 ? '?' : (char)byte);
	}
}

void
rewrite_set(struct rewrite *rules, struct span defaulthost,
    struct span defaultdomain, struct span plusdomain)
{
	set_name(&rules->domain, '.', defaultdomain);
	set_name(&rules->plus, '.', plusdomain);
	set_name(&rules->host, '@', defaulthost);
	complete_host(&rules->host, rules, 1);
}

void
rewrite_free(struct rewrite *rules)
{
	str_free(&rules->host);
	str_free(&rules->domain);
	str_free(&rules->plus);
}

void
rewrite_append(struct str *to, const struct rewrite *rules, struct span local,
    bool has_host, struct span host)
{
	if (local.len == 0 && !has_host)
		return;
	str_append_span(to, local);
	if (has_host && !span_is(host, "[]") && host.len > 0 &&
	    host.s[host.len - 1] == '.')
		host.len--;
	if (!has_host || host.len == 0) {
		str_append_span(to, str_span(&rules->host));
		return;
	}
	str_append_char(to, '@');
	str_append_span(to, host);
	complete_host(to, rules, to->len - host.len);
}

void
rewrite_append_plain(
    struct str *to, const struct rewrite *rules, struct span address)
{
	rewrite_append(to, rules, address_local(address),
	    address_at(address) != SPAN_NONE, address_domain(address));
}

/* The first token from i on that is no comment, or end. */
static size_t
skip_comments(const struct token_list *list, size_t i, size_t end)
{
	while (i < end && list->tokens[i].kind == TOKEN_COMMENT)
		i++;
	return i;
}

/* One behind the last token before end that is no comment, or first. */
static size_t
drop_comments(const struct token_list *list, size_t first, size_t end)
{
	while (end > first && list->tokens[end - 1].kind == TOKEN_COMMENT)
		end--;
	return end;
}

static bool
ends_with(
    const struct token_list *list, size_t first, size_t end, enum token_kind k)
{
	return end > first && list->tokens[end - 1].kind == k;
}

/* "x@[]": an address that is nowhere, such as the marks of VERP. */
static bool
is_nowhere(const struct token_list *list, size_t first, size_t end)
{
	if (!ends_with(list, first, end, TOKEN_LITERAL) ||
	    token_text(list, end - 1).len > 0)
		return false;
	end = drop_comments(list, first, end - 1);
	return ends_with(list, first, end, TOKEN_AT);
}

static size_t
skip_route(const struct token_list *list, size_t first, size_t end)
{
	if (first == end || list->tokens[first].kind != TOKEN_AT)
		return first;
	while (first < end && list->tokens[first].kind != TOKEN_COLON)
		first++;
	return first < end ? skip_comments(list, first + 1, end) : end;
}

struct rewrite_plan
rewrite_tokens(const struct rewrite *rules, const struct token_list *list,
    size_t first, size_t end)
{
	struct rewrite_plan plan = {0, 0, 0, {"", 0}};
	bool dot = false;
	size_t at;

	first = skip_comments(list, first, end);
	end = drop_comments(list, first, end);
	plan.first = first;
	plan.end = end;
	if (first == end || is_nowhere(list, first, end))
		return plan;
	plan.first = first = skip_route(list, first, end);
	if (ends_with(list, first, end, TOKEN_DOT))
		end = drop_comments(list, first, end - 1);
	if (ends_with(list, first, end, TOKEN_AT))
		end = drop_comments(list, first, end - 1);
	plan.end = end;
	if (first == end)
		return plan;
	for (at = end; at > first; at--) {
		if (list->tokens[at - 1].kind == TOKEN_AT)
			break;
		dot = dot || list->tokens[at - 1].kind == TOKEN_DOT;
	}
	if (at == first) {
		plan.suffix = str_span(&rules->host);
	} else if (ends_with(list, first, end, TOKEN_ATOM)) {
		struct span last = token_text(list, end - 1);

		if (last.s[last.len - 1] == '+') {
			plan.chop = 1;
			plan.suffix = str_span(&rules->plus);
		} else if (!dot) {
			plan.suffix = str_span(&rules->domain);
		}
	} else if (!dot && !ends_with(list, first, end, TOKEN_LITERAL)) {
		plan.suffix = str_span(&rules->domain);
	}
	return plan;
}
