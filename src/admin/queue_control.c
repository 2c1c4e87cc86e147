#include "admin/queue_control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/mem.h"
#include "mail/netstring.h"

/* Without patience, a daemon that does not take connections is none. */
static int
connect_to(struct queue_control *control, bool patient)
{
	struct sockaddr_un to = {
	    .sun_family = AF_UNIX, .sun_path = "run/control.sock"};

	control->buffer = NULL;
	control->fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (control->fd == -1 || fd_cloexec(control->fd) == -1 ||
	    (!patient && fd_nonblock(control->fd) == -1) ||
	    connect(control->fd, (struct sockaddr *)&to, sizeof(to)) == -1) {
		queue_control_close(control);
		return -1;
	}
	control->buffer = mem_alloc(FD_PACKET_MAX, 1);
	return 0;
}

int
queue_control_open(struct queue_control *control)
{
	return connect_to(control, true);
}

void
queue_control_close(struct queue_control *control)
{
	fd_close(control->fd);
	free(control->buffer);
	*control = (struct queue_control){.fd = -1};
}

static int
send_request(struct queue_control *control, char letter, struct span list)
{
	struct str packet = STR_INIT;
	int result;

	netstring_append(&packet, (struct span){&letter, 1});
	str_append_span(&packet, list);
	result = fd_send_packet(control->fd, str_span(&packet), -1);
	str_free(&packet);
	if (result == -1 && (errno == EPIPE || errno == ECONNRESET))
		errno = EACCES;
	return result;
}

/* The next packet, without its letter. */
static int
receive(
    struct queue_control *control, int wait_ms, char *letter, struct span *rest)
{
	int passed, ready;
	struct span kind;
	ssize_t got;

	ready = fd_wait_readable(control->fd, wait_ms);
	if (ready != 1) {
		if (ready == 0)
			errno = ETIMEDOUT;
		return -1;
	}
	got = fd_receive_packet(
	    control->fd, control->buffer, FD_PACKET_MAX, &passed);
	fd_close(passed); /* none is expected */
	if (got == 0 || (got == -1 && errno == ECONNRESET))
		errno = EACCES;
	if (got <= 0)
		return -1;
	*rest = (struct span){control->buffer, (size_t)got};
	if (netstring_take(rest, &kind) == -1 || kind.len != 1) {
		errno = EPROTO;
		return -1;
	}
	*letter = kind.s[0];
	return 0;
}

static int
understand(char letter, struct span rest, struct queue_control_answer *answer)
{
	struct span heard;

	*answer =
	    (struct queue_control_answer){.results = {"", 0}, .error = {"", 0}};
	if (letter == 'E' && netstring_take(&rest, &answer->error) == 0 &&
	    answer->error.len > 0)
		return 0;
	if (letter == 'K' && netstring_take(&rest, &answer->results) == 0 &&
	    netstring_take(&rest, &heard) == 0) {
		answer->is_heard = span_is(heard, "1");
		return 0;
	}
	errno = EPROTO;
	return -1;
}

int
queue_control_ask(struct queue_control *control, char letter, struct span list,
    struct queue_control_answer *answer)
{
	struct span rest;

	if (send_request(control, letter, list) == -1 ||
	    receive(control, QUEUE_CONTROL_WAIT_MS, &letter, &rest) == -1)
		return -1;
	return understand(letter, rest, answer);
}

int
queue_control_list(struct queue_control *control, struct order_set *orders)
{
	struct queue_control_answer answer;
	struct span rest, line;
	struct order order;
	char letter;

	if (send_request(control, 'Q', (struct span){"", 0}) == -1)
		return -1;
	for (;;) {
		if (receive(control, QUEUE_CONTROL_WAIT_MS, &letter, &rest) ==
		    -1)
			return -1;
		if (letter != 'O')
			return understand(letter, rest, &answer);
		while (netstring_take(&rest, &line) == 0) {
			if (order_parse(line, &order) == -1) {
				errno = EPROTO;
				return -1;
			}
			if (order_set_add(orders, &order) == -1)
				return -1;
		}
	}
}

void
queue_control_settle(void)
{
	struct queue_control control;
	struct span rest;
	char letter;

	if (connect_to(&control, false) == -1)
		return;
	if (send_request(&control, 'B', SPAN_LITERAL("1:0,")) == 0)
		(void)!receive(
		    &control, QUEUE_CONTROL_SETTLE_MS, &letter, &rest);
	queue_control_close(&control);
}
