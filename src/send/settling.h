/*
 * settling - messages of which a report to the queue is not durable yet
 *
 * Until it is, the files of such a message do not tell all, and it must not be
 * read. In the order of the reports; at most as many as the link to the queue
 * keeps.
 */
#ifndef SEND_SETTLING_H
#define SEND_SETTLING_H

#include <stddef.h>
#include <stdint.h>

#include "send/queue_link.h"
#include "send/schedule.h"

struct settling_item {
	uint64_t id; /* of the message, which may be gone by then */
	uint32_t request;
};

struct settling {
	struct settling_item *items;
	size_t start, count, size;
};

#define SETTLING_INIT                                                          \
	{                                                                      \
		NULL, 0, 0, 0                                                  \
	}

void settling_free(struct settling *settling);
/* message->settling says from now on that it waits for that request, too. */
void settling_add(
    struct settling *settling, struct message *message, uint32_t request);
/* Lets those go whose requests are durable. */
void settling_note(struct settling *settling, const struct queue_link *link,
    struct schedule *schedule);

#endif
