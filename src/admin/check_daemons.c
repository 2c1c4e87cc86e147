#include "admin/check_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define SUBMIT "run/submit.sock"

enum {
	/* for a daemon that was started a moment ago */
	CONNECT_TRIES = 10,
	CONNECT_PAUSE_MS = 50,
};

static int
connect_to_queue(int sock)
{
	static const struct timespec pause = {0, CONNECT_PAUSE_MS * 1000000L};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, SUBMIT, sizeof(SUBMIT));
	for (int tries = 1;; tries++) {
		if (connect(sock, (struct sockaddr *)&address,
			sizeof(address)) == 0)
			return 0;
		if ((errno != ENOENT && errno != ECONNREFUSED) ||
		    tries == CONNECT_TRIES)
			return -1;
		(void)nanosleep(&pause, NULL); /* a shorter one does no harm */
	}
}

void
check_daemons(struct check_report *report)
{
	static const struct check_advice down = {
	    "no mail is taken, from anybody",
	    "start qmail-queued, see its log"};
	static const struct check_advice busy = {
	    "new mail waits", "see qmail-queued's log: a slow disk, a flood"};
	static const struct check_advice half = {
	    "qmail-send cannot work", "restart qmail-queued"};
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	if (sock == -1 || fd_cloexec(sock) == -1 || fd_nonblock(sock) == -1) {
		check_report_trouble(report, SUBMIT, errno);
		fd_close(sock);
		return;
	}
	if (connect_to_queue(sock) == -1) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			check_report_add(report, down, SUBMIT, 0,
			    "qmail-queued is not running");
		else if (errno == EAGAIN || errno == EINPROGRESS)
			check_report_add(report, busy, SUBMIT, 0,
			    "qmail-queued does not keep up with connections");
		else
			check_report_trouble(report, SUBMIT, errno);
	} else if (access("run/control.sock", F_OK) == -1 && errno == ENOENT) {
		/* Who connects there could be taken for a qmail-send. */
		check_report_add(
		    report, half, "run/control.sock", 0, "it is missing");
	}
	fd_close(sock); /* the end before a message: nothing is queued */
}
