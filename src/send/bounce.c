#include "send/bounce.h"

#include "base/clock.h"
#include "mail/address.h"

enum bounce_kind
bounce_kind_of(struct span sender, struct span doublebounceto)
{
	if (span_is(sender, "#@[]"))
		return BOUNCE_DISCARD;
	if (sender.len > 0)
		return BOUNCE_SINGLE;
	return doublebounceto.len > 0 ? BOUNCE_DOUBLE : BOUNCE_DISCARD;
}

static void
append_address(struct str *to, struct span address)
{
	struct str safe = STR_INIT;

	address_append_safe(&safe, address, false);
	address_append_quoted(to, str_span(&safe));
	str_free(&safe);
}

/* The end of the first line of the body, and the rest of its paragraph. */
static const char *
explain(enum bounce_kind kind)
{
	switch (kind) {
	case BOUNCE_DOUBLE:
		return ".\nA notice about mail that failed could not be "
		       "delivered"
		       " to the address\nbelow. The notice bounced!\n\n";
	case BOUNCE_DOUBLES:
		return ".\nNotices about mail that failed could not be "
		       "delivered"
		       " to the addresses\nbelow. There were so many in a short"
		       " time that this one message tells of all.\n\n";
	case BOUNCE_SINGLE:
	case BOUNCE_DISCARD:
		break;
	}
	return ".\nYour message could not be delivered to the following"
	       " addresses.\nThis error is permanent: I have given up on"
	       " them and will not try again.\n\n";
}

void
bounce_append_head(struct str *to, const struct bounce_head *head)
{
	struct str from = STR_INIT;

	str_append_span(&from, head->bouncefrom);
	str_append_char(&from, '@');
	str_append_span(&from, head->bouncehost);
	str_append_cstr(to, "Date: ");
	clock_append_date(to, head->now_s);
	str_append_cstr(to, "\nFrom: ");
	append_address(to, str_span(&from));
	str_append_cstr(to, "\nTo: ");
	append_address(to, head->to);
	str_append_cstr(to,
	    "\nSubject: failure notice\n\n"
	    "Hi. This is the qmail-send program at ");
	address_append_safe(to, head->bouncehost, false);
	str_append_cstr(to, explain(head->kind));
	str_free(&from);
}

void
bounce_append_failure(struct str *to, struct span recipient, struct span report)
{
	str_append_char(to, '<');
	address_append_safe(to, recipient, false);
	str_append_cstr(to, ">:\n");
	for (size_t i = 0; i < report.len; i++) {
		bool again =
		    report.s[i] == '\n' && (i == 0 || report.s[i - 1] == '\n');

		str_append_char(to, again ? '/' : report.s[i]);
	}
	if (to->s[to->len - 1] != '\n')
		str_append_char(to, '\n');
	str_append_char(to, '\n');
}

void
bounce_append_break(struct str *to, enum bounce_kind kind, struct span sender,
    uint64_t cut_bytes)
{
	if (kind == BOUNCE_DOUBLES) {
		str_append_cstr(
		    to, "--- The bounces themselves are not returned.\n");
		return;
	}
	str_append_cstr(to,
	    kind == BOUNCE_DOUBLE
		? "--- Below this line is the original bounce.\n"
		: "--- Below this line is a copy of the message.\n");
	if (cut_bytes > 0) {
		str_append_cstr(to, "--- It is long: only the first ");
		str_append_u64(to, cut_bytes);
		str_append_cstr(to, " bytes follow.\n");
	}
	str_append_cstr(to, "\nReturn-Path: <");
	append_address(to, sender);
	str_append_cstr(to, ">\n");
}
