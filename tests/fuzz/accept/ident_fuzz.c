/* what a host says about the owner of a connection */
#include <stdint.h>
#include <stdlib.h>

#include "accept/ident.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ident_pair pair = {
	    .remote_port = 6193, .local_port = 23};
	struct span reply = {(const char *)data, size};
	struct str user = STR_INIT;

	if (ident_parse(reply, &pair, &user)) {
		if (user.len == 0 || user.len > IDENT_USER_MAX)
			abort();
		for (size_t i = 0; i < user.len; i++) {
			if (user.s[i] <= 32 || user.s[i] > 126)
				abort();
		}
	}
	str_free(&user);
	return 0;
}
