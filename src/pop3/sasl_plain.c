#include "pop3/sasl_plain.h"

#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* Replaces *to. Only the one canonical spelling is taken. */
static int
decode_base64(struct span text, struct str *to)
{
	unsigned bits = 0, count = 0;
	size_t padding = 0;

	str_clear(to);
	if (text.len == 0 || text.len % 4 != 0)
		return -1;
	while (padding < 2 && text.s[text.len - 1] == '=') {
		text.len--;
		padding++;
	}
	for (size_t i = 0; i < text.len; i++) {
		const char *at =
		    text.s[i] == '\0' ? NULL : strchr(letters, text.s[i]);

		if (at == NULL)
			return -1;
		bits = (bits << 6 | (unsigned)(at - letters)) & 0xffff;
		count += 6;
		if (count >= 8) {
			count -= 8;
			str_append_char(to, (char)(bits >> count & 0xff));
		}
	}
	/* what is left over must be nothing but zeros */
	return (bits & ((1u << count) - 1)) == 0 ? 0 : -1;
}

int
sasl_plain_decode(struct span text, struct str *decoded, struct span *user,
    struct span *password)
{
	struct span all, authorization;
	size_t nul;

	if (decode_base64(text, decoded) == -1)
		return -1;
	all = str_span(decoded);
	nul = span_find(all, '\0');
	if (nul == SPAN_NONE)
		return -1;
	authorization = span_until(all, nul);
	all = span_from(all, nul + 1);
	nul = span_find(all, '\0');
	if (nul == SPAN_NONE)
		return -1;
	*user = span_until(all, nul);
	*password = span_from(all, nul + 1);
	if (user->len == 0 || password->len == 0 ||
	    span_find(*password, '\0') != SPAN_NONE)
		return -1;
	return authorization.len == 0 || span_equal(authorization, *user) ? 0
									  : -1;
}
