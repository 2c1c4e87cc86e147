#include "admin/argument.h"

#include <stdint.h>
#include <string.h>

#include "base/die.h"
#include "base/num.h"
#include "base/span.h"

enum {
	USER_MAX = 31,
};

void
argument_check_host(const char *host)
{
	size_t len = strlen(host);
	const char *legal = "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";

	if (len == 0)
		die_perm("the host name is empty");
	if (len > ARGUMENT_HOST_MAX || strspn(host, legal) != len ||
	    strchr(".-", host[0]) || strchr(".-", host[len - 1]) ||
	    strstr(host, ".."))
		die_perm("%s is not a host name", quote(host));
}

void
argument_check_user(const char *user)
{
	size_t len = strlen(user);

	/* "alias" and names with a dash have a meaning of their own. */
	if (len == 0 || len > USER_MAX || strcmp(user, "alias") == 0 ||
	    strspn(user, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
		die_perm("the user's name must be 1 to 31 lower-case letters "
			 "and digits, and not alias: %s",
		    quote(user));
}

void
argument_check_path(const char *path)
{
	if (strpbrk(path, ":\n"))
		die_perm("a path may have neither a colon nor a line end: %s",
		    quote(path));
}

unsigned long
argument_parse_port(const char *option, const char *text)
{
	uint64_t port;

	if (num_parse_u64(span_of(text), &port) == -1 || port == 0 ||
	    port > 65535)
		die_perm("%s wants a number from 1 to 65535, not %s", option,
		    quote(text));
	return (unsigned long)port;
}
