/*
 * queue_text - a message of the queue as qmail-qread shows it. Pure.
 *
 *   22 Nov 2026 18:46:21 GMT  #11043519  228  <s@x.example> [ bouncing]
 *   [  done]TAB local|remote TAB address       one line a recipient
 */
#ifndef ADMIN_QUEUE_TEXT_H
#define ADMIN_QUEUE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/str.h"
#include "conf/classify.h"
#include "mail/queue_file.h"

struct queue_text {
	uint64_t id;
	struct queue_envelope envelope;
	struct span done; /* the bytes of the done file; empty: none */
	bool bouncing;
};

/* Appends the lines. Bytes of addresses that are no printable ASCII, and
   spaces, are shown as '_'. */
void queue_text_append(struct str *to, const struct queue_text *text,
    const struct classify_tables *tables);

#endif
