/*
 * qmail-smtpd - receive mail by SMTP on descriptors 0 and 1
 * Runs as: qmaild (nofiles), under tcpserver    Trusts: its environment
 * Reads:   control/, the network                Writes: the network, the queue
 *          through run/submit.sock (or QMAILQUEUE), the log on descriptor 2
 * Exit:    0 after QUIT; 1 on every other end; 111 if memory runs out
 *
 * No DNS, no passwd database, no file is written. A message is passed on to
 * the queue while it comes, and 250 is said only after the queue has it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accept/linger.h"
#include "accept/peer.h"
#include "accept/smtp_config.h"
#include "accept/smtp_session.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/in.h"
#include "base/out.h"
#include "base/sandbox.h"
#include "base/sig.h"
#include "conf/control.h"
#include "net/submit.h"

enum {
	SESSION_MAX_S = 86400, /* the longest conversation */
};

static struct {
	struct peer peer;
	struct smtp_config config;
	struct smtp_session session;
	struct in in;
	struct out out;
	char in_buf[32768], out_buf[4096];
} smtpd;

/* Most of what may be in control/ is not there: one look tells which. */
static int
load(void)
{
	if (control_home() == -1)
		return -1;
	control_glance();
	return smtp_config_load(&smtpd.config, smtpd.peer.relay != NULL);
}

static void
enter_sandbox(void)
{
	const struct sandbox rights = {
	    .may = SANDBOX_LOCAL, /* the queue; is an address literal ours? */
	    .read = {smtp_config_is_whole() ? NULL : "control"},
	    .no_links = control_has_no_links(),
	};

	sandbox_enter(&rights);
}

static int
end(enum smtp_next next)
{
	if (out_flush(&smtpd.out) == 0 && !smtpd.in.eof && next != SMTP_DONE)
		linger(smtpd.in_buf, sizeof(smtpd.in_buf));
	return next == SMTP_DONE ? 0 : 1;
}

int
main(void)
{
	enum smtp_next next;
	int on = 1;

	die_init("qmail-smtpd");
	if (fd_guard_standard() == -1 || sig_ignore(SIGPIPE) == -1)
		return 1;
	/* without a handler: the end of the process cancels what is not yet
	   queued, which is all that has to happen */
	(void)alarm(SESSION_MAX_S);
	/* replies leave as soon as they are written; if 1 is no socket they
	   do anyway */
	(void)setsockopt(1, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	peer_load(&smtpd.peer);
	out_init(&smtpd.out, 1, SMTP_TIMEOUT_DEFAULT_S, smtpd.out_buf,
	    sizeof(smtpd.out_buf));
	if (load() == -1) {
		warn_sys("cannot read control files of %s",
		    quote(control_home_path()));
		out_cstr(
		    &smtpd.out, "421 unable to read controls (#4.3.0)\r\n");
		return end(SMTP_LEAVE);
	}
	if (!smtpd.config.is_relay && smtpd.config.hosts.is_missing)
		warn_plain("no control/rcpthosts: taking mail for locals and "
			   "virtualdomains only");
	if (!submit_runs_program() && !smtp_plugins_has(&smtpd.config.plugins))
		enter_sandbox();
	else if (sig_default(SIGCHLD) == -1)
		return 1; /* one that is ignored would hide how they end */
	smtpd.out.timeout_s = smtpd.config.timeout_s;
	in_init(&smtpd.in, 0, smtpd.config.timeout_s, smtpd.in_buf,
	    sizeof(smtpd.in_buf));
	in_time(&smtpd.in);
	smtpd.in.tied = &smtpd.out;
	smtp_session_init(
	    &smtpd.session, &smtpd.in, &smtpd.out, &smtpd.config, &smtpd.peer);
	next = smtp_session_run(&smtpd.session);
	return end(next);
}
