#include "send/settling.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
settling_free(struct settling *settling)
{
	free(settling->items);
	*settling = (struct settling)SETTLING_INIT;
}

void
settling_add(
    struct settling *settling, struct message *message, uint32_t request)
{
	if (settling->start + settling->count == settling->size) {
		/* move back if that frees half of it, else grow */
		if (settling->start > settling->count) {
			memcpy(settling->items,
			    settling->items + settling->start,
			    settling->count * sizeof(*settling->items));
			settling->start = 0;
		} else {
			settling->size = settling->size * 2 + 64;
			settling->items = mem_resize(settling->items,
			    settling->size, sizeof(*settling->items));
		}
	}
	settling->items[settling->start + settling->count++] =
	    (struct settling_item){message->id, request};
	/* one of each channel's last pass, and one by order: no more begins
	   while one is there */
	assert(message->settling < UINT8_MAX);
	message->settling++;
}

void
settling_note(struct settling *settling, const struct queue_link *link,
    struct schedule *schedule)
{
	while (settling->count > 0) {
		const struct settling_item *item =
		    &settling->items[settling->start];
		struct message *message;

		if (!queue_link_is_durable(link, item->request))
			return;
		message = schedule_find(schedule, item->id);
		if (message != NULL)
			message->settling--;
		settling->start++;
		if (--settling->count == 0)
			settling->start = 0;
	}
}
