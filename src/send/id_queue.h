/*
 * id_queue - message ids that wait in line
 * Memory that runs out ends the process.
 */
#ifndef SEND_ID_QUEUE_H
#define SEND_ID_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_queue {
	uint64_t *ids;
	size_t start, count, size; /* ids[start .. start + count) */
};

#define ID_QUEUE_INIT                                                          \
	{                                                                      \
		NULL, 0, 0, 0                                                  \
	}

void id_queue_add(struct id_queue *queue, uint64_t id);
/* Takes id off, wherever it is: quick if it is the first. False if it is not
   there. */
bool id_queue_remove(struct id_queue *queue, uint64_t id);
void id_queue_free(struct id_queue *queue);

#endif
