/*
 * tcp-env - tell a server that inetd starts about its client
 * Runs as: qmaild, or whatever account inetd gives the server; then it becomes
 *          the server
 * Trusts:  arguments, environment; nothing that the network says
 * Reads:   fd 0 (which must be a TCP connection; nothing is read from it), the
 *          DNS, the client's port 113
 * Writes:  the environment of the server
 * Exit:    111 trouble; otherwise what the server exits with
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accept/ident.h"
#include "accept/reverse.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/sig.h"
#include "base/str.h"
#include "net/ip.h"

enum {
	IDENT_TIMEOUT_S = 30,
	TIMEOUT_MAX_S = 86400,
	DNS_TIMEOUT_S = 60, /* both names together */
};

static struct {
	bool with_ident;
	unsigned timeout_s;
	bool over_ipv6;
} program = {.with_ident = true, .timeout_s = IDENT_TIMEOUT_S};

/* Sets "TCP" name, and for IPv6 its twin; NULL: there is none. */
static void
set_variable(const char *name, const char *value)
{
	static const char *const starts[] = {"TCP", "TCP6"};
	char whole[32];

	for (size_t i = 0; i < (program.over_ipv6 ? 2 : 1); i++) {
		(void)snprintf(whole, sizeof(whole), "%s%s", starts[i], name);
		if ((value == NULL ? unsetenv(whole)
				   : setenv(whole, value, 1)) == -1)
			die_sys("cannot set %s", whole);
	}
}

static void
set_end(const char *ip_name, const char *port_name, const struct ip *ip,
    unsigned port)
{
	struct str text = STR_INIT;

	ip_append(&text, ip);
	set_variable(ip_name, text.s);
	str_format(&text, "%u", port);
	set_variable(port_name, text.s);
	str_free(&text);
}

/* Takes one end of the connection apart. */
static void
take_end(const struct sockaddr_storage *address, struct ip *ip, unsigned *port)
{
	const void *any = address;

	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = any;

		*ip = ip_from_bytes(4, (const unsigned char *)&in->sin_addr);
		*port = ntohs(in->sin_port);
	} else if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = any;

		*ip = ip_from_bytes(6, in6->sin6_addr.s6_addr);
		*port = ntohs(in6->sin6_port);
	} else {
		die_temp("descriptor 0 is no TCP connection");
	}
}

static void
set_addresses(struct ident_pair *pair)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	memset(&address, 0, sizeof(address));
	if (getsockname(0, (struct sockaddr *)&address, &len) == -1)
		die_sys("cannot tell the local address of descriptor 0");
	take_end(&address, &pair->local, &pair->local_port);
	len = sizeof(address);
	if (getpeername(0, (struct sockaddr *)&address, &len) == -1)
		die_sys("cannot tell the remote address of descriptor 0");
	take_end(&address, &pair->remote, &pair->remote_port);
	program.over_ipv6 = pair->remote.version == 6;
	if (setenv("PROTO", program.over_ipv6 ? "TCP6" : "TCP", 1) == -1)
		die_sys("cannot set PROTO");
	set_end("LOCALIP", "LOCALPORT", &pair->local, pair->local_port);
	set_end("REMOTEIP", "REMOTEPORT", &pair->remote, pair->remote_port);
}

static void
set_name(const char *variable, const struct reverse_answer *answer)
{
	if (answer->status == DNS_SOFT)
		set_variable(variable, "softdnserror");
	else
		set_variable(variable,
		    answer->status == DNS_FOUND ? answer->name : NULL);
}

static void
set_names(const struct ident_pair *pair)
{
	const struct ip ips[] = {pair->local, pair->remote};
	struct reverse_answer answers[2];

	if (reverse_ask(ips, answers, 2, DNS_TIMEOUT_S) == -1)
		die_sys("cannot ask for names");
	set_name("LOCALHOST", &answers[0]);
	set_name("REMOTEHOST", &answers[1]);
}

static void
set_info(const struct ident_pair *pair)
{
	struct str user = STR_INIT;
	bool found =
	    program.with_ident && ident_ask(pair, program.timeout_s, &user);

	set_variable("REMOTEINFO", found ? user.s : NULL);
	str_free(&user);
}

/* 111 for a wrong call too: what inetd runs is put right and tried again. */
static NORETURN void
usage(void)
{
	die_temp("usage: tcp-env [-rR] [-t timeout] program [arg ...]");
}

static void
parse_options(int argc, char **argv)
{
	uint64_t number;
	int option;

	opterr = 0;
	while ((option = getopt(argc, argv, "rRt:")) != -1) {
		switch (option) {
		case 'r':
			program.with_ident = true;
			break;
		case 'R':
			program.with_ident = false;
			break;
		case 't':
			if (num_parse_u64(span_of(optarg), &number) == -1)
				usage();
			program.timeout_s = number > TIMEOUT_MAX_S
			    ? TIMEOUT_MAX_S
			    : (unsigned)number;
			if (program.timeout_s == 0)
				program.timeout_s = 1;
			break;
		default:
			usage();
		}
	}
	if (optind == argc)
		usage();
}

static bool
has_protocol(void)
{
	const char *protocol = getenv("PROTO");

	return protocol != NULL &&
	    (strcmp(protocol, "TCP") == 0 || strcmp(protocol, "TCP6") == 0);
}

int
main(int argc, char **argv)
{
	struct ident_pair pair;

	die_init("tcp-env");
	parse_options(argc, argv);
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (!has_protocol()) {
		if (sig_ignore(SIGPIPE) == -1)
			die_sys("cannot ignore SIGPIPE");
		set_addresses(&pair);
		set_names(&pair);
		set_info(&pair);
	}
	if (sig_default(SIGPIPE) == -1)
		die_sys("cannot restore SIGPIPE");
	(void)execvp(argv[optind], argv + optind);
	die_sys("cannot run %s", quote(argv[optind]));
}
