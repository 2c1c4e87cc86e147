/*
 * qmail-qmtpd - receive mail by QMTP on descriptors 0 and 1
 * Runs as: qmaild (nofiles), under tcpserver    Trusts: its environment
 * Reads:   control/, the network                Writes: the network, the queue
 *          through run/submit.sock (or QMAILQUEUE), the log on descriptor 2
 * Exit:    0 the connection ended; 100 it was no QMTP; 111 memory, control
 *          files, or a length that is too big
 *
 * No DNS, no passwd database, no file is written. A message is passed on to
 * the queue while it comes, and K is said only after the queue has it.
 */
#include "accept/framed_server.h"
#include "accept/peer.h"
#include "accept/qmtp_session.h"
#include "base/die.h"
#include "base/sandbox.h"
#include "conf/control.h"
#include "net/submit.h"

static struct {
	struct framed_server server;
	struct qmtp_session session;
} qmtpd;

static const struct sandbox rights = {
    .may = SANDBOX_LOCAL,
    .read = {"control"},
};

int
main(void)
{
	struct framed_server *server = &qmtpd.server;
	struct qmtp_session *session = &qmtpd.session;

	die_init("qmail-qmtpd");
	framed_server_open(server);
	qmtp_session_init(session, &server->in, &server->out, &server->peer);
	if (peer_load_databytes(&session->mail.databytes) == -1 ||
	    rcpthosts_load(&session->hosts) == -1)
		die_sys("cannot read control files of %s",
		    quote(control_home_path()));
	if (server->peer.relay == NULL && session->hosts.is_missing)
		warn_plain("no control/rcpthosts: taking mail for locals and "
			   "virtualdomains only");
	if (!submit_runs_program())
		sandbox_enter(&rights);
	return framed_server_close(server, qmtp_session_run(session));
}
