#include "send/id_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
id_queue_add(struct id_queue *queue, uint64_t id)
{
	if (queue->start + queue->count == queue->size) {
		/* move back if that frees half of it, else grow */
		if (queue->start > queue->count) {
			memcpy(queue->ids, queue->ids + queue->start,
			    queue->count * sizeof(*queue->ids));
			queue->start = 0;
		} else {
			queue->size = queue->size * 2 + 16;
			queue->ids = mem_resize(
			    queue->ids, queue->size, sizeof(*queue->ids));
		}
	}
	queue->ids[queue->start + queue->count++] = id;
}

bool
id_queue_remove(struct id_queue *queue, uint64_t id)
{
	for (size_t i = 0; i < queue->count; i++) {
		uint64_t *ids = queue->ids + queue->start;

		if (ids[i] != id)
			continue;
		memmove(ids + 1, ids, i * sizeof(*ids));
		queue->start++;
		if (--queue->count == 0)
			queue->start = 0;
		return true;
	}
	return false;
}

void
id_queue_free(struct id_queue *queue)
{
	free(queue->ids);
	*queue = (struct id_queue)ID_QUEUE_INIT;
}
