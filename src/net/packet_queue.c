#include "net/packet_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"

struct packet_node {
	struct packet_node *next;
	struct span bytes; /* behind this struct */
};

void
packet_queue_add(struct packet_queue *queue, struct span packet)
{
	struct packet_node *node = mem_alloc(1, sizeof(*node) + packet.len);

	memcpy(node + 1, packet.s, packet.len);
	node->bytes = (struct span){(char *)(node + 1), packet.len};
	if (queue->first == NULL)
		queue->first = node;
	else
		queue->last->next = node;
	queue->last = node;
	queue->bytes += packet.len;
}

static void
drop_first(struct packet_queue *queue)
{
	struct packet_node *first = queue->first;

	queue->first = first->next;
	queue->bytes -= first->bytes.len;
	free(first);
}

int
packet_queue_send(struct packet_queue *queue, int sock)
{
	while (queue->first != NULL) {
		if (fd_send_packet(sock, queue->first->bytes, -1) == -1) {
			if (errno == EAGAIN || errno == EWOULDBLOCK ||
			    errno == ENOBUFS || errno == ENOMEM)
				return 0;
			return -1;
		}
		drop_first(queue);
	}
	return 0;
}

void
packet_queue_clear(struct packet_queue *queue)
{
	while (queue->first != NULL)
		drop_first(queue);
}
