#include "admin/services.h"

#include <string.h>
#include <sys/stat.h>

#include "admin/rules.h"
#include "base/str.h"

/*
 * A run script of tcpserver: the port of its protocol, the account (root, if
 * it changes to a user after the login), whether nobody may connect as long as
 * there are no rules, the number of connections, and the program.
 */
struct server {
	const char *name, *protocol;
	unsigned long port;
	bool is_root, needs_rules;
	const char *limit;
	const char *what; /* lines of a comment, without its first # */
	const char *program;
};

static const struct server servers[SERVICES_SERVERS] = {
    [SERVICES_SMTPD] = {"smtpd", "smtp", 25, false, false,
	"$(head -n 1 control/concurrencyincoming 2>/dev/null)",
	"SMTP from other hosts", "qmail-smtpd"},
    [SERVICES_SUBMISSION] = {"submission", "submission", 587, false, true, "20",
	"SMTP from this site's own clients. Nobody proves here who he is:\n"
	"# the rules must name the clients, each with RELAYCLIENT, and refuse\n"
	"# all others",
	"qmail-smtpd"},
    [SERVICES_POP3D] = {"pop3d", "pop3", 110, true, false, "20",
	"POP3, with the passwords of users/passwd. They travel in the clear",
	NULL},
    [SERVICES_QMTPD] = {"qmtpd", "qmtp", 209, false, false, "20",
	"QMTP from other hosts", "qmail-qmtpd"},
    [SERVICES_QMQPD] = {"qmqpd", "qmqp", 628, false, true, "20",
	"QMQP. Whoever may connect may relay: the rules must name the clients\n"
	"# and refuse all others",
	"qmail-qmqpd"},
};

const char *
services_server_name(size_t server)
{
	return servers[server].name;
}

const char *
services_server_protocol(size_t server)
{
	return servers[server].protocol;
}

unsigned long
services_server_port(size_t server)
{
	return servers[server].port;
}

int
services_server_find(struct span name)
{
	for (size_t i = 0; i < SERVICES_SERVERS; i++)
		if (span_is(name, servers[i].name))
			return (int)i;
	return -1;
}

/* Appends text in single quotes, fit for sh. */
static void
append_quoted(struct str *to, const char *text)
{
	str_append_char(to, '\'');
	for (; *text; text++)
		if (*text == '\'')
			str_append_cstr(to, "'\\''");
		else
			str_append_char(to, *text);
	str_append_char(to, '\'');
}

static void
append_start(struct str *to, const struct services *services, const char *what)
{
	str_append_format(to,
	    "#!/bin/sh\n"
	    "# %s.\n"
	    "# Made once by qmail-conf; yours to edit.\n"
	    "QMAILHOME=",
	    what);
	append_quoted(to, services->home);
	str_append_cstr(to, "\nPATH=");
	append_quoted(to, services->bin);
	str_append_cstr(to,
	    ":/usr/local/bin:/usr/bin:/bin\n"
	    "export QMAILHOME PATH\n"
	    "cd \"$QMAILHOME\" || exit 111\n");
}

/* The rest of a script: the program gets no other variables than these. */
#define CLEAN "exec env - QMAILHOME=\"$QMAILHOME\" PATH=\"$PATH\" \\\n    "

static void
append_queue(struct str *to, const struct services *services)
{
	append_start(to, services, "the queue: accepts mail and keeps it");
	str_append_cstr(to, CLEAN "qmail-queued 2>&1\n");
}

static void
append_send(struct str *to, const struct services *services)
{
	append_start(to, services,
	    "the deliveries; HUP reads control/locals "
	    "and virtualdomains again");
	str_append_cstr(to,
	    "delivery=./Mailbox\n"
	    "[ -r control/defaultdelivery ] &&\n"
	    "\tdelivery=$(cat control/defaultdelivery)\n" CLEAN
	    "qmail-start \"$delivery\" 2>&1\n");
}

static void
append_server(struct str *to, const struct services *services, size_t number)
{
	const struct server *server = &servers[number];

	append_start(to, services, server->what);
	str_append_format(to,
	    "# Who may connect and relay stands in control/tcp.%s, which\n"
	    "# qmailctl cdb (or make in control/) compiles%s.\n"
	    "# tcpserver asks neither for a client's name (-H) nor for its "
	    "user "
	    "(-R):\n"
	    "# rules by name, and names in Received lines, need -h.\n"
	    "# Of more than -b that come at once some would wait for seconds.\n"
	    "limit=%s\n"
	    "memory=$(head -n 1 control/softlimit 2>/dev/null)\n" CLEAN
	    "softlimit -m \"${memory:-100000000}\" \\\n"
	    "    tcpserver -v -H -R -l \"$(head -n 1 control/me)\" "
	    "-c \"${limit:-40}\" -b 128 \\\n"
	    "    %s-x control/tcp.%s.cdb \\\n    ",
	    server->protocol,
	    server->needs_rules ? ";\n# until then nobody may" : "",
	    server->limit, server->needs_rules ? "" : "-X ", server->protocol);
	/* qmail-popup stays root until the login: no account for tcpserver */
	if (services->server_user && !server->is_root)
		str_append_format(to, "-u \"$(id -u %s)\" -g \"$(id -g %s)\" ",
		    services->server_user, services->server_user);
	str_append_format(
	    to, "%s %lu \\\n    ", services->address, services->port[number]);
	if (server->program) {
		str_append_cstr(to, server->program);
	} else {
		str_append_cstr(to, "qmail-popup ");
		append_quoted(to, services->host);
		str_append_cstr(to, " qmail-checkpass qmail-pop3d Maildir");
	}
	str_append_cstr(to, " 2>&1\n");
}

static void
append_log(struct str *to, const struct services *services, const char *name)
{
	str_append_cstr(to,
	    "#!/bin/sh\n"
	    "# At most 20 files of a megabyte; qmailctl log shows them.\n"
	    "exec env - PATH=\"$PATH\" ");
	if (services->log_user)
		str_append_format(to, "setuidgid %s ", services->log_user);
	str_append_cstr(to, "multilog t s1000000 n20 ");
	append_quoted(to, services->home);
	str_append_format(to, "/log/%s\n", name);
}

/*
 * One service. run comes last, and down only where run is missing: a run that
 * was cut off is completed by the next, and who removed down has it no more.
 */
static void
make_one(const struct services *services, const char *name, bool is_up,
    const struct str *run)
{
	struct str path = STR_INIT, text = STR_INIT;
	struct stat st;

	str_format(&path, "service/%s", name);
	(void)place_dir(services->place, path.s, 0755);
	str_format(&path, "service/%s/log", name);
	(void)place_dir(services->place, path.s, 0755);
	append_log(&text, services, name);
	str_format(&path, "service/%s/log/run", name);
	(void)place_file(services->place, path.s, str_span(&text), 0755);
	str_format(&path, "log/%s", name);
	(void)place_dir(services->log_place, path.s, 0750);
	str_format(&path, "service/%s/run", name);
	if (!is_up && lstat(path.s, &st) == -1) {
		str_format(&path, "service/%s/down", name);
		(void)place_file(services->place, path.s, span_of(""), 0644);
	}
	str_format(&path, "service/%s/run", name);
	(void)place_file(services->place, path.s, str_span(run), 0755);
	str_free(&path);
	str_free(&text);
}

void
services_make(const struct services *services)
{
	struct str text = STR_INIT;

	rules_make_makefile(services->place);
	(void)place_dir(services->place, "log", 0755);
	(void)place_dir(services->place, "service", 0755);
	append_queue(&text, services);
	make_one(services, "queue", true, &text);
	str_clear(&text);
	append_send(&text, services);
	make_one(services, "send", true, &text);
	for (size_t i = 0; i < SERVICES_SERVERS; i++) {
		if (services->port[i] == 0)
			continue;
		rules_make(services->place, servers[i].protocol);
		str_clear(&text);
		append_server(&text, services, i);
		make_one(services, servers[i].name, services->is_up[i], &text);
	}
	str_free(&text);
}
