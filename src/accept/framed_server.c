#include "accept/framed_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accept/linger.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/sig.h"
#include "conf/control.h"

void
framed_server_open(struct framed_server *server)
{
	int on = 1;

	/* an inherited SIGCHLD that is ignored would hide how QMAILQUEUE ended
	 */
	if (fd_guard_standard() == -1 || sig_ignore(SIGPIPE) == -1 ||
	    sig_default(SIGCHLD) == -1 || sig_default(SIGALRM) == -1)
		die_sys("cannot set up descriptors and signals");
	(void)alarm(FRAMED_SERVER_LIFE_S); /* cannot fail */
	/* if 1 is no socket replies leave at once anyway */
	(void)setsockopt(1, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	peer_load(&server->peer);
	in_init(&server->in, 0, FRAMED_SERVER_LIFE_S, server->in_buf,
	    sizeof(server->in_buf));
	out_init(&server->out, 1, FRAMED_SERVER_LIFE_S, server->out_buf,
	    sizeof(server->out_buf));
	server->in.tied = &server->out;
	if (control_home() == -1)
		die_sys("cannot go to %s", quote(control_home_path()));
}

int
framed_server_close(struct framed_server *server, int code)
{
	if (out_flush(&server->out) == 0 && !server->in.eof)
		linger(server->in_buf, sizeof(server->in_buf));
	return code;
}
