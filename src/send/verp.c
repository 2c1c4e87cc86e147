#include "send/verp.h"

#include "mail/address.h"

#define ENDING "-@[]"

static const size_t ending_len = sizeof(ENDING) - 1;

bool
verp_is(struct span sender)
{
	return sender.len > ending_len &&
	    span_is(span_from(sender, sender.len - ending_len), ENDING) &&
	    address_at(span_until(sender, sender.len - ending_len)) !=
	    SPAN_NONE;
}

struct span
verp_base(struct span sender)
{
	return verp_is(sender) ? span_until(sender, sender.len - ending_len)
			       : sender;
}

void
verp_expand(struct str *to, struct span sender, struct span recipient)
{
	struct span base = verp_base(sender);

	if (!verp_is(sender) || address_at(recipient) == SPAN_NONE) {
		str_copy(to, sender);
		return;
	}
	str_copy(to, address_local(base));
	str_append_span(to, address_local(recipient));
	str_append_char(to, '=');
	str_append_span(to, address_domain(recipient));
	str_append_char(to, '@');
	str_append_span(to, address_domain(base));
}
