#include "admin/assign_text.h"

#include "base/num.h"

struct span
assign_take_field(struct span *rest)
{
	size_t end = span_find(*rest, ':');
	struct span field = end == SPAN_NONE ? *rest : span_until(*rest, end);

	*rest = span_from(*rest, end == SPAN_NONE ? rest->len : end + 1);
	return field;
}

int
assign_parse_account(struct span line, struct assign_account *account)
{
	size_t colons = 0;
	struct span uid, gid;

	for (size_t i = 0; i < line.len; i++)
		colons += line.s[i] == ':';
	if (colons < 6 || span_find(line, '\0') != SPAN_NONE)
		return -1;
	account->user = assign_take_field(&line);
	(void)assign_take_field(&line); /* the password */
	uid = assign_take_field(&line);
	gid = assign_take_field(&line);
	(void)assign_take_field(&line); /* the comment */
	account->home = assign_take_field(&line);
	if (account->user.len == 0 || num_parse_u64(uid, &account->uid) == -1 ||
	    num_parse_u64(gid, &account->gid) == -1)
		return -1;
	return 0;
}

/* user:uid:gid:home: */
static void
append_account(struct str *to, const struct assign_account *account)
{
	str_append_span(to, account->user);
	str_append_char(to, ':');
	str_append_u64(to, account->uid);
	str_append_char(to, ':');
	str_append_u64(to, account->gid);
	str_append_char(to, ':');
	str_append_span(to, account->home);
	str_append_char(to, ':');
}

void
assign_append_rest(struct str *to, const struct assign_account *account,
    const struct assign_style *style)
{
	str_append_cstr(to, "+:");
	append_account(to, account);
	str_append_cstr(to, style->dash);
	str_append_cstr(to, "::\n");
}

void
assign_append_name(struct str *to, struct span name,
    const struct assign_account *account, struct span pre,
    const struct assign_style *style)
{
	str_append_char(to, '=');
	str_append_span(to, name);
	str_append_char(to, ':');
	append_account(to, account);
	if (pre.len > 0)
		str_append_cstr(to, style->dash);
	str_append_char(to, ':');
	str_append_span(to, pre);
	str_append_cstr(to, ":\n");
	if (style->delimiter == '\0')
		return;
	str_append_char(to, '+');
	str_append_span(to, name);
	str_append_char(to, style->delimiter);
	str_append_char(to, ':');
	append_account(to, account);
	str_append_cstr(to, style->dash);
	str_append_char(to, ':');
	str_append_span(to, pre);
	if (pre.len > 0) /* files are named with a dash, whatever the sign */
		str_append_char(to, '-');
	str_append_cstr(to, ":\n");
}
