/*
 * import_message - one message of a classic queue: what is left to do, and
 *                  its way into the present one
 *
 * The states that qmail leaves (mess/N is always there):
 *   todo/N             accepted, not looked at yet; whatever else there is
 *                      may be half-written and is to be forgotten
 *   info/N             accepted; local/N and remote/N say what is left to do,
 *                      bounce/N what failed
 *   none of these      not accepted
 */
#ifndef ADMIN_IMPORT_MESSAGE_H
#define ADMIN_IMPORT_MESSAGE_H

#include <stdint.h>

#include "admin/classic_file.h"
#include "admin/classic_queue.h"
#include "base/attr.h"
#include "base/str.h"

enum import_verdict {
	IMPORT_TAKE,
	IMPORT_FINISHED,     /* every recipient has got it; no bounce is due */
	IMPORT_NOT_ACCEPTED, /* its submission was never completed */
	IMPORT_TROUBLE,      /* see trouble */
};

struct import_message {
	uint64_t number, size_bytes, mtime_s; /* of mess: what it is known by */
	uint64_t uid, pid, birth_s;
	struct str todo, info, local, remote; /* the files */
	struct str failures;
	struct span sender;                          /* in todo or info */
	size_t local_count, remote_count, new_count; /* recipients to do */
	struct str trouble; /* "info/3/26: it is empty" */
};

/* todo, info ... are STR_INIT before the first call, and kept for the next. */
void import_message_init(struct import_message *message);
void import_message_free(struct import_message *message);

/* What is known without reading: number, size and date. -1: see trouble. */
MUST_USE int import_message_identify(struct import_message *message,
    const struct classic_queue *queue, const struct classic_message *files);
/* Reads all but the message itself. */
MUST_USE enum import_verdict import_message_read(struct import_message *message,
    const struct classic_queue *queue, const struct classic_message *files);

/*
 * Hands it to the queue, with an origin that begins with key. 0; -1 it cannot
 * be read, or will never be taken (see trouble); otherwise an exit code of
 * qmail-queue(8): it is or is not in the queue.
 */
MUST_USE int import_message_submit(struct import_message *message,
    const struct classic_queue *queue, const struct classic_message *files,
    struct span key);

#endif
