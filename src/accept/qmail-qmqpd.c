/*
 * qmail-qmqpd - receive one message by QMQP on descriptors 0 and 1
 * Runs as: qmaild (nofiles), under tcpserver    Trusts: its environment, and
 *          every client: tcpserver must let in only those that may relay
 * Reads:   the network                          Writes: the network, the queue
 *          through run/submit.sock (or QMAILQUEUE), the log on descriptor 2
 * Exit:    0 answered, or the connection ended; 100 it was no QMQP; 111 memory,
 *          no home, or a length that is too big
 *
 * No DNS, no passwd database, no control file, no file is written. The message
 * is passed on to the queue while it comes, and K is said only after the queue
 * has it.
 */
#include "accept/framed_server.h"
#include "accept/qmqp_session.h"
#include "base/die.h"
#include "base/sandbox.h"
#include "net/submit.h"

static struct {
	struct framed_server server;
	struct framed_mail mail;
} qmqpd;

static const struct sandbox rights = {
    .may = SANDBOX_LOCAL,
};

int
main(void)
{
	struct framed_server *server = &qmqpd.server;

	die_init("qmail-qmqpd");
	framed_server_open(server);
	if (!submit_runs_program())
		sandbox_enter(&rights);
	framed_mail_init(
	    &qmqpd.mail, &server->in, &server->out, &server->peer, "QMQP");
	return framed_server_close(server, qmqp_session_run(&qmqpd.mail));
}
