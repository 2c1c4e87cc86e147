/* lines of /etc/passwd: the rules that are made of them are lines of
   users/assign which compile, and mean the account that they came from */
#include "assign.h"

#include "admin/assign_text.h"

static void
compile(
    struct span assign, const struct assign_account *account, struct span name)
{
	struct users_entry entry;
	struct str found = STR_INIT;

	assign_find(assign, name, &found);
	if (account->uid < UINT32_MAX && account->gid < UINT32_MAX) {
		require(users_parse_entry(str_span(&found), &entry) == 0);
		require(entry.uid == account->uid && entry.gid == account->gid);
		require(span_equal(entry.user, account->user));
		require(span_equal(entry.homedir, account->home));
		require(entry.ext.len == 0 && entry.dash.len == 0);
	}
	str_free(&found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct assign_style style = {'\0', "-"};
	struct assign_account account;
	struct str assign = STR_INIT;

	if (fuzz_byte(&input) & 1)
		style = (struct assign_style){'-', "-/"};
	/* a line, as the program reads it */
	input = fuzz_until(&input, '\n');
	if (assign_parse_account(input, &account) == -1)
		return 0;
	require(account.user.len > 0);
	require(span_find(account.user, ':') == SPAN_NONE);
	require(span_find(account.home, ':') == SPAN_NONE);
	assign_append_name(
	    &assign, account.user, &account, (struct span){"", 0}, &style);
	assign_append_name(&assign, SPAN_LITERAL("other"), &account,
	    SPAN_LITERAL("pre"), &style);
	assign_append_rest(&assign, &account, &style);
	str_append_cstr(&assign, ".\n");
	if (account.user.len < 1000)
		compile(str_span(&assign), &account, account.user);
	str_free(&assign);
	return 0;
}
