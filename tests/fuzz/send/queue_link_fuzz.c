/*
 * Any packets from qmail-queued, while requests are made and sent: no request
 * counts as durable that was not sent and acknowledged, what is not
 * acknowledged is sent again on the next connection, in its order, and nothing
 * is taken for news before the subscription is answered.
 *
 * The module is taken in whole, to be given a socket.
 */
#include "../fuzz.h"

#include "../../../src/send/queue_link.c"

static struct queue_link queue;
static int peer; /* of the connection, or -1 */
static uint32_t made;
static uint32_t heard; /* requests on this connection */

static void
connect_link(void)
{
	int ends[2];

	if (queue.fd != -1)
		return;
	fd_close(peer);
	require(fd_packet_pair(ends) == 0);
	require(fd_nonblock(ends[0]) == 0 && fd_nonblock(ends[1]) == 0);
	queue.fd = ends[0];
	peer = ends[1];
	queue.connections++;
	queue.base_count = queue.acked_count;
	queue.deadline_ms = 1000;
	heard = 0;
}

/* Takes what the link has sent: requests continue where they are not durable,
   each with its number as id. */
static void
hear(void)
{
	static char buf[FD_PACKET_MAX];
	struct span packet;
	int passed;
	ssize_t got;

	while (peer != -1 &&
	    (got = fd_receive_packet(peer, buf, sizeof(buf), &passed)) > 0) {
		packet = (struct span){buf, (size_t)got};
		while (packet.len > 0) {
			struct span kind, field;
			uint64_t id;

			require(netstring_take(&packet, &kind) == 0);
			require(netstring_take_u64(&packet, &id) == 0);
			if (span_is(kind, "D") || span_is(kind, "F"))
				require(netstring_take(&packet, &field) == 0);
			if (span_is(kind, "F"))
				require(netstring_take(&packet, &field) == 0);
			if (span_is(kind, "B")) {
				require(packet.len == 0);
				continue;
			}
			heard++;
			require((uint32_t)id == queue.base_count + heard);
		}
	}
}

static void
ask(unsigned char how)
{
	uint32_t number = made + 1;

	switch (how % 4) {
	case 0:
		number = queue_link_delivered(&queue, number, how);
		break;
	case 1:
		number = queue_link_failed(
		    &queue, number, how, SPAN_LITERAL("words"));
		break;
	case 2:
		number = queue_link_retire(&queue, number);
		break;
	default:
		queue_link_barrier(&queue, 5);
		return;
	}
	require(number == made + 1);
	made = number;
	require(!queue_link_is_durable(&queue, number));
	require(!queue_link_is_idle(&queue));
}

static void
check_list(struct span list)
{
	require(list.s >= queue.buffer &&
	    list.s + list.len <= queue.buffer + FD_PACKET_MAX);
}

static void
look(int64_t now_ms)
{
	bool subscribed = queue.subscribed;
	uint64_t number = 0;
	enum queue_link_event event = queue_link_next(&queue, now_ms, &number);

	switch (event) {
	case QUEUE_LINK_UP:
		require(!subscribed && queue.subscribed);
		break;
	case QUEUE_LINK_NEW:
	case QUEUE_LINK_RESCAN:
	case QUEUE_LINK_BARRIER:
	case QUEUE_LINK_TRY_NOW:
		require(subscribed && queue.subscribed);
		break;
	case QUEUE_LINK_LOST:
	case QUEUE_LINK_REFUSED:
		require(queue.fd == -1 && !queue.subscribed);
		require(queue_link_wakes_ms(&queue) > now_ms);
		break;
	case QUEUE_LINK_ORDERS:
	case QUEUE_LINK_UNDO:
		check_list(queue.list);
		break;
	case QUEUE_LINK_NONE:
		break;
	}
	if (event == QUEUE_LINK_TRY_NOW)
		check_list(queue.list);
}

static void
say(struct span packet)
{
	if (peer != -1 && packet.len > 0)
		(void)!fd_send_packet(peer, packet, -1);
}

static void
happen(struct span *input)
{
	unsigned char what = fuzz_byte(input);
	struct str packet = STR_INIT;
	char letter = "HNLBA"[what / 8 % 5];

	switch (what & 7) {
	case 0:
		connect_link();
		break;
	case 1:
		ask(what / 8);
		break;
	case 2:
		hear(); /* what is there may be lost with the connection */
		queue_link_flush(&queue, 0);
		hear();
		break;
	case 3:
		say(fuzz_some(input, what / 8));
		break;
	case 4:
	case 5:
		netstring_append(&packet, (struct span){&letter, 1});
		netstring_append_u64(&packet, fuzz_byte(input));
		say(str_span(&packet));
		break;
	case 6:
		look(what == 254 ? 2000 : 0);
		break;
	default:
		fd_close(peer);
		peer = -1;
		break;
	}
	str_free(&packet);
	require(queue.acked <= queue.sent && queue.sent <= queue.requests.len);
	require((int32_t)(queue.made_count - queue.sent_count) >= 0);
	require((int32_t)(queue.sent_count - queue.acked_count) >= 0);
	require((queue_link_events(&queue) == 0) == (queue.fd == -1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};

	queue_link_init(&queue, "none");
	/* near the end of the numbers, which must not matter */
	queue.retry_ms = INT64_MAX;
	peer = -1;
	made = 0;
	while (input.len > 0) {
		happen(&input);
		if (queue.fd == -1)
			queue.retry_ms = INT64_MAX; /* there is no socket */
	}
	queue_link_free(&queue);
	fd_close(peer);
	return 0;
}
