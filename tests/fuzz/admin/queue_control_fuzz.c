/*
 * An administrator's side of control.sock, with a qmail-queued that answers any
 * packets (each up to a 0xff byte): what is taken for an answer is one, lies in
 * what came, and orders that are listed are orders.
 */
#include "../fuzz.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "admin/queue_control.h"
#include "base/fd.h"
#include "mail/netstring.h"

static int
open_control(struct queue_control *control, struct span input)
{
	int ends[2];

	require(fd_packet_pair(ends) == 0 && fd_nonblock(ends[1]) == 0);
	control->fd = ends[0];
	control->buffer = malloc(FD_PACKET_MAX);
	require(control->buffer != NULL);
	while (input.len > 0) {
		struct span packet = fuzz_until(&input, '\377');

		if (packet.len > 0)
			(void)!fd_send_packet(ends[1], packet, -1);
	}
	require(shutdown(ends[1], SHUT_WR) == 0);
	return ends[1];
}

static void
ask(struct span input, char letter)
{
	struct queue_control control;
	struct queue_control_answer answer;
	struct str list = STR_INIT;
	int peer = open_control(&control, input);

	netstring_append(&list, SPAN_LITERAL("1 expire 7"));
	if (queue_control_ask(&control, letter, str_span(&list), &answer) ==
	    0) {
		struct span part =
		    answer.error.len > 0 ? answer.error : answer.results;

		require(part.len == 0 ||
		    (part.s > control.buffer &&
			part.s + part.len < control.buffer + FD_PACKET_MAX));
		require(answer.error.len == 0 || answer.results.len == 0);
	} else {
		require(
		    errno == EPROTO || errno == EACCES || errno == EMSGSIZE);
	}
	queue_control_close(&control);
	fd_close(peer);
	str_free(&list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct order_set orders = ORDER_SET_INIT;
	struct queue_control control;
	int peer;

	(void)signal(SIGPIPE, SIG_IGN);
	ask(input, 'O');
	peer = open_control(&control, input);
	if (queue_control_list(&control, &orders) == 0)
		require(orders.count <= size);
	queue_control_close(&control);
	fd_close(peer);
	order_set_free(&orders);
	return 0;
}
