/*
 * packet_queue - packets that wait until a non-blocking socket takes them
 */
#ifndef NET_PACKET_QUEUE_H
#define NET_PACKET_QUEUE_H

#include "base/attr.h"
#include "base/span.h"

struct packet_queue {
	struct packet_node *first, *last;
	size_t bytes;
};

/* Copies packet to the end. */
void packet_queue_add(struct packet_queue *queue, struct span packet);
/* Sends what sock takes without waiting. 0, or -1 with errno if the socket is
   of no more use; what is left stays. */
MUST_USE int packet_queue_send(struct packet_queue *queue, int sock);
void packet_queue_clear(struct packet_queue *queue);

#endif
