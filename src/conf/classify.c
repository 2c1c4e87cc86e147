#include "conf/classify.h"

#include "mail/address.h"

/* control/locals; without it the one name in control/me. */
static int
load_locals(struct control_table *locals)
{
	struct str me = STR_INIT;
	int found = control_list("control/locals", locals);

	if (found != 0)
		return found;
	found = control_line("control/me", &me);
	if (found == 1 && control_list_of(str_span(&me), locals) == -1)
		found = -1;
	str_free(&me);
	return found;
}

/* A map or list that need not be there. */
static int
load_optional(int (*load)(const char *, struct control_table *),
    const char *path, struct control_table *table)
{
	int found = load(path, table);

	if (found == 0)
		found = control_list_of(SPAN_LITERAL(""), table);
	return found == -1 ? -1 : 0;
}

static const char *
load_domains(struct control_table *locals, struct control_table *virtualdomains)
{
	if (load_locals(locals) != 1)
		return "control/locals";
	if (load_optional(
		control_map, "control/virtualdomains", virtualdomains) == -1)
		return "control/virtualdomains";
	return NULL;
}

const char *
classify_tables_load(struct classify_tables *tables)
{
	if (control_line_default_me("control/envnoathost", "envnoathost",
		&tables->envnoathost) != 1)
		return "control/envnoathost";
	if (load_optional(control_list, "control/percenthack",
		&tables->percenthack) == -1)
		return "control/percenthack";
	return load_domains(&tables->locals, &tables->virtualdomains);
}

const char *
classify_tables_reload(struct classify_tables *tables)
{
	struct control_table locals = CONTROL_TABLE_INIT;
	struct control_table virtualdomains = CONTROL_TABLE_INIT;
	const char *bad = load_domains(&locals, &virtualdomains);

	if (bad != NULL) {
		control_table_free(&locals);
		control_table_free(&virtualdomains);
		return bad;
	}
	control_table_free(&tables->locals);
	control_table_free(&tables->virtualdomains);
	tables->locals = locals;
	tables->virtualdomains = virtualdomains;
	return NULL;
}

void
classify_tables_free(struct classify_tables *tables)
{
	str_free(&tables->envnoathost);
	control_table_free(&tables->locals);
	control_table_free(&tables->percenthack);
	control_table_free(&tables->virtualdomains);
}

/* "u%d@listed" becomes "u@d". True if it did; each time a '%' is used up. */
static bool
apply_percenthack(const struct classify_tables *tables, struct str *address)
{
	size_t at = address_at(str_span(address));
	size_t percent;

	if (!control_has(
		&tables->percenthack, span_from(str_span(address), at + 1)))
		return false;
	percent = span_find_last(span_until(str_span(address), at), '%');
	if (percent == SPAN_NONE)
		return false;
	str_truncate(address, at);
	address->s[percent] = '@';
	return true;
}

enum channel_kind
classify_recipient(
    const struct classify_tables *tables, struct span recipient, struct str *to)
{
	struct span domain, prefix;
	struct str whole = STR_INIT;

	str_copy(to, recipient);
	if (address_at(recipient) == SPAN_NONE) {
		str_append_char(to, '@');
		str_append_span(to, str_span(&tables->envnoathost));
	}
	/* envnoathost might hold no '@' to be found only if it was added above,
	   so from here on there is one */
	while (tables->percenthack.entry_count > 0 &&
	    apply_percenthack(tables, to))
		;
	domain = address_domain(str_span(to));
	if (control_has(&tables->locals, domain))
		return CHANNEL_LOCAL;
	if (!control_find(&tables->virtualdomains, str_span(to), &prefix) &&
	    !control_find_domain(
		&tables->virtualdomains, domain, true, &prefix))
		return CHANNEL_REMOTE;
	if (prefix.len == 0)
		return CHANNEL_REMOTE;
	str_append_span(&whole, prefix);
	str_append_char(&whole, '-');
	str_append_span(&whole, str_span(to));
	str_free(to);
	*to = whole;
	return CHANNEL_LOCAL;
}

enum channel_kind
classify_queued(const struct classify_tables *tables, char letter,
    struct span recipient, struct str *to)
{
	if (letter != 'L' && letter != 'R')
		return classify_recipient(tables, recipient, to);
	str_copy(to, recipient);
	return letter == 'L' ? CHANNEL_LOCAL : CHANNEL_REMOTE;
}

struct span
classify_without_prefix(
    const struct classify_tables *tables, struct span address)
{
	struct span domain = address_domain(address), prefix;

	if (control_has(&tables->locals, domain) ||
	    !control_find_domain(
		&tables->virtualdomains, domain, true, &prefix))
		return address;
	if (prefix.len == 0 || address.len <= prefix.len ||
	    address.s[prefix.len] != '-' ||
	    !span_equal(span_until(address, prefix.len), prefix))
		return address;
	return span_from(address, prefix.len + 1);
}
