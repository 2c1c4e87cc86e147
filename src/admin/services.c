#include "admin/services.h"

#include <string.h>

#include "base/str.h"

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
	    "# %s. Made once by qmail-conf; yours to edit.\n"
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

/* The body of service/NAME/run. */
static void
append_queue(struct str *to, const struct services *services)
{
	append_start(to, services, "the queue: accepts mail and keeps it");
	str_append_cstr(to, "exec qmail-queued 2>&1\n");
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
	    "\tdelivery=$(cat control/defaultdelivery)\n"
	    "exec qmail-start \"$delivery\" 2>&1\n");
}

/* tcpserver up to and with the port. */
static void
append_server(
    struct str *to, const struct services *services, unsigned long port)
{
	str_append_cstr(to,
	    "exec softlimit -m 100000000 \\\n"
	    "    tcpserver -v -H -R -l \"$(head -n 1 "
	    "control/me)\" -c \"${limit:-40}\" \\\n    ");
	if (services->server_user)
		str_append_format(to, "-u \"$(id -u %s)\" -g \"$(id -g %s)\" ",
		    services->server_user, services->server_user);
	str_append_format(
	    to, "\"$@\" %s %lu \\\n    ", services->address, port);
}

static void
append_smtpd(struct str *to, const struct services *services)
{
	append_start(to, services,
	    "SMTP; who may relay stands in "
	    "control/tcp.smtp.cdb, see tcprules(1)");
	str_append_cstr(to,
	    "limit=$(head -n 1 control/concurrencyincoming "
	    "2>/dev/null)\n"
	    "set --\n"
	    "[ -r control/tcp.smtp.cdb ] && set -- -x "
	    "control/tcp.smtp.cdb\n");
	append_server(to, services, services->smtp_port);
	str_append_cstr(to, "qmail-smtpd 2>&1\n");
}

static void
append_pop3d(struct str *to, const struct services *services)
{
	struct services as_root = *services;

	/* qmail-popup stays root until the login: no account for tcpserver */
	as_root.server_user = NULL;
	append_start(to, services, "POP3, with the passwords of users/passwd");
	str_append_cstr(to, "limit=20\nset --\n");
	append_server(to, &as_root, services->pop3_port);
	str_append_cstr(to, "qmail-popup ");
	append_quoted(to, services->host);
	str_append_cstr(to, " qmail-checkpass qmail-pop3d Maildir 2>&1\n");
}

static void
append_log(struct str *to, const struct services *services, const char *name)
{
	str_append_cstr(to, "#!/bin/sh\nexec ");
	if (services->log_user)
		str_append_format(to, "setuidgid %s ", services->log_user);
	str_append_cstr(to, "multilog t s1000000 n20 ");
	append_quoted(to, services->home);
	str_append_format(to, "/log/%s\n", name);
}

static void
make_one(const struct services *services, const char *name,
    void (*append)(struct str *, const struct services *))
{
	struct str path = STR_INIT, text = STR_INIT;

	str_format(&path, "service/%s", name);
	(void)place_dir(services->place, path.s, 0755);
	append(&text, services);
	str_format(&path, "service/%s/run", name);
	(void)place_file(services->place, path.s, str_span(&text), 0755);
	str_format(&path, "service/%s/log", name);
	(void)place_dir(services->place, path.s, 0755);
	str_clear(&text);
	append_log(&text, services, name);
	str_format(&path, "service/%s/log/run", name);
	(void)place_file(services->place, path.s, str_span(&text), 0755);
	str_format(&path, "log/%s", name);
	(void)place_dir(services->log_place, path.s, 0750);
	str_free(&path);
	str_free(&text);
}

void
services_make(const struct services *services)
{
	static const struct {
		const char *name;
		void (*append)(struct str *, const struct services *);
	} all[] = {
	    {"queue", append_queue},
	    {"send", append_send},
	    {"smtpd", append_smtpd},
	    {"pop3d", append_pop3d},
	};

	(void)place_dir(services->place, "log", 0755);
	(void)place_dir(services->place, "service", 0755);
	for (size_t i = 0; i < COUNT(all); i++)
		make_one(services, all[i].name, all[i].append);
}
