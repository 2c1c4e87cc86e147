/* sender and recipient, up to a NUL each: only the form of VERP is expanded,
   and from what it becomes sender and recipient can be told again */
#include "../fuzz.h"

#include "mail/address.h"
#include "send/verp.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct span sender = fuzz_until(&input, '\0'), recipient = input;
	struct span base = verp_base(sender), made, local, start;
	struct str to = STR_INIT;

	verp_expand(&to, sender, recipient);
	made = str_span(&to);
	if (!verp_is(sender) || address_at(recipient) == SPAN_NONE) {
		require(span_equal(made, sender));
		require(verp_is(sender) || span_equal(base, sender));
	} else {
		require(base.len + 4 == sender.len);
		require(made.len == base.len + recipient.len);
		require(span_equal(address_domain(made), address_domain(base)));
		local = address_local(made);
		start = address_local(base);
		require(span_equal(span_until(local, start.len), start));
		/* the recipient, its last '@' as '=' */
		local = span_from(local, start.len);
		for (size_t i = 0; i < recipient.len; i++)
			require(local.s[i] ==
			    (i == address_at(recipient) ? '='
							: recipient.s[i]));
	}
	str_free(&to);
	return 0;
}
