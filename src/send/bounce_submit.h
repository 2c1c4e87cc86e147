/*
 * bounce_submit - composes the bounce of a message and hands it to the queue
 *
 * What is told comes from the files of the message; control/ says to whom and
 * how much is copied. Blocks until the queue has it.
 */
#ifndef SEND_BOUNCE_SUBMIT_H
#define SEND_BOUNCE_SUBMIT_H

#include <stddef.h>
#include <stdint.h>

#include "send/settings.h"

struct bounce_answer {
	char letter; /* Q queued; T triple, X double bounce discarded; E
			trouble: try again later */
	uint64_t id, qp;
};

/*
 * Answers must have their id and the letter E, and get what became of it. Of
 * several messages, which must be bounces themselves, one message tells,
 * without copies; one that cannot be read does not keep the others. queue_dir:
 * a descriptor of queue/.
 */
void bounce_submit(const struct settings *settings, int queue_dir,
    struct bounce_answer *answers, size_t count);

#endif
