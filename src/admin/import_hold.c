#include "admin/import_hold.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "mail/netstring.h"
#include "mail/order.h"

enum {
	ANSWER_MS = 60000,
	PACKET_MAX = 1024,
};

static int
connect_queued(void)
{
	struct sockaddr_un to = {
	    .sun_family = AF_UNIX, .sun_path = "run/control.sock"};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int error;

	if (fd == -1)
		return -1;
	if (fd_cloexec(fd) == 0 &&
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	error = errno;
	fd_close(fd);
	errno = error;
	return -1;
}

/* "K" and a letter: K it is done now, S or N it was so already. */
static int
read_answer(int fd, bool hold)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};
	struct span packet, letter, results;
	char buf[PACKET_MAX];
	int passed, ready;
	ssize_t got;

	do
		ready = poll(&item, 1, ANSWER_MS);
	while (ready == -1 && errno == EINTR);
	if (ready != 1) {
		if (ready == 0)
			errno = ETIMEDOUT;
		return -1;
	}
	got = fd_receive_packet(fd, buf, sizeof(buf), &passed);
	fd_close(passed); /* none is expected */
	if (got == -1)
		return -1;
	packet = (struct span){buf, (size_t)got};
	errno = EPROTO;
	if (netstring_take(&packet, &letter) == -1 || !span_is(letter, "K") ||
	    netstring_take(&packet, &results) == -1 || results.len != 1)
		return -1;
	if (results.s[0] == 'K' || results.s[0] == (hold ? 'S' : 'N'))
		return 0;
	return -1;
}

int
import_hold(struct span key, bool hold)
{
	struct order order = {.kind = ORDER_HOLD_IMPORT, .key = key};
	struct str line = STR_INIT, packet = STR_INIT;
	int fd = connect_queued(), result = -1, error;

	if (fd == -1)
		return -1;
	order_append(&line, &order);
	netstring_append(&packet, span_of(hold ? "O" : "U"));
	netstring_append(&packet, str_span(&line));
	if (fd_send_packet(fd, str_span(&packet), -1) == 0)
		result = read_answer(fd, hold);
	error = errno;
	fd_close(fd);
	str_free(&line);
	str_free(&packet);
	errno = error;
	return result;
}
