#include "admin/argument.h"

#include <stdint.h>
#include <string.h>

#include "admin/services.h"
#include "base/die.h"
#include "base/num.h"
#include "base/span.h"
#include "base/str.h"

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

bool
argument_parse_ports(const char *option, const char *text, unsigned long *ports)
{
	struct str wanted = STR_INIT;
	bool found = false;

	for (size_t i = 0; i < SERVICES_SERVERS && !found; i++) {
		str_format(&wanted, "--%s-port", services_server_protocol(i));
		found = strcmp(option, wanted.s) == 0;
		if (found)
			ports[i] = argument_parse_port(option, text);
	}
	str_free(&wanted);
	return found;
}

void
argument_check_ports(const unsigned long *ports)
{
	for (size_t i = 0; i < SERVICES_SERVERS; i++)
		for (size_t k = 0; k < i; k++)
			if (ports[i] && ports[i] == ports[k])
				die_perm("%s and %s must have different ports",
				    services_server_name(k),
				    services_server_name(i));
}

void
argument_parse_services(const char *list, bool *chosen)
{
	struct span rest = span_of(list);
	size_t end = 0;

	for (size_t i = 0; i < SERVICES_SERVERS; i++)
		chosen[i] = false;
	if (strcmp(list, "none") == 0)
		return;
	while (end != SPAN_NONE) {
		struct span name;
		int server;

		end = span_find(rest, ',');
		name = end == SPAN_NONE ? rest : span_until(rest, end);
		server = services_server_find(name);
		if (server == -1)
			die_perm("there is no service %s: it must be smtpd, "
				 "submission, pop3d, qmtpd or qmqpd",
			    quote_span(name));
		chosen[server] = true;
		if (end != SPAN_NONE)
			rest = span_from(rest, end + 1);
	}
}
