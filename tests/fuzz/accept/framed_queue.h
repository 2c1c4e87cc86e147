/*
 * framed_queue - a queue in memory, in the place of src/net/submit.c, and a
 *                client that has sent all and gone; for the QMTP and QMQP
 *                fuzzers, each of which includes this once
 *
 * It checks the order of what it is given: message, sender, recipients; and
 * that a message is finished or let go before the next one.
 */
#ifndef FUZZ_ACCEPT_FRAMED_QUEUE_H
#define FUZZ_ACCEPT_FRAMED_QUEUE_H

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accept/framed_mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_report_fd(void *fd); /* of both compilers' libraries */

static struct {
	bool is_open, has_sender, fails;
	size_t recipients, bytes, finished;
	/* what the protocol says about a recipient that comes to the queue */
	bool (*is_allowed)(struct span recipient);
} queue;

static void
require(bool condition)
{
	if (!condition)
		abort();
}

int
submit_open(struct submit *submit)
{
	require(!queue.is_open);
	memset(submit, 0, sizeof(*submit));
	submit->text = (struct str)STR_INIT;
	queue.is_open = true;
	queue.has_sender = false;
	queue.recipients = queue.bytes = 0;
	return 0;
}

void
submit_write(struct submit *submit, const char *bytes, size_t len)
{
	(void)submit;
	(void)bytes;
	require(queue.is_open && !queue.has_sender);
	queue.bytes += len;
}

void
submit_from(struct submit *submit, struct span sender)
{
	(void)submit;
	require(queue.is_open && queue.bytes > 0 && !queue.has_sender);
	require(sender.len <= FRAMED_ADDRESS_MAX);
	require(span_find(sender, '\0') == SPAN_NONE);
	queue.has_sender = true;
}

void
submit_to(struct submit *submit, struct span recipient)
{
	(void)submit;
	require(queue.is_open && queue.has_sender);
	require(recipient.len <= FRAMED_ADDRESS_MAX);
	require(span_find(recipient, '\0') == SPAN_NONE);
	require(queue.is_allowed(recipient));
	queue.recipients++;
}

int
submit_finish(struct submit *submit)
{
	require(queue.is_open && queue.has_sender);
	queue.is_open = false;
	queue.finished++;
	submit->qp = 7;
	if (queue.fails)
		str_copy(&submit->text, SPAN_LITERAL("Zno\r\n\0yes"));
	return queue.fails ? 82 : 0;
}

void
submit_abort(struct submit *submit)
{
	(void)submit;
	require(queue.is_open);
	queue.is_open = false;
}

/* The bytes of one connection, then its end. */
static void
give_input(struct in *in, char *bytes, size_t size)
{
	in_init(in, -1, 1, bytes, size);
	in->end = size;
	in->eof = true;
}

/* How many netstrings with a verdict bytes consists of. */
static size_t
count_verdicts(const char *bytes, size_t len)
{
	size_t count = 0;

	while (len > 0) {
		size_t size = 0, i = 0;

		while (i < len && bytes[i] >= '0' && bytes[i] <= '9')
			size = size * 10 + (size_t)(bytes[i++] - '0');
		require(i > 0 && size > 0 && i + 1 + size < len);
		require(bytes[i] == ':' && bytes[i + 1 + size] == ',');
		require(strchr("KZD", bytes[i + 1]) != NULL);
		for (size_t j = i + 1; j <= i + size; j++)
			require(bytes[j] >= ' ' && bytes[j] <= '~');
		bytes += i + size + 2;
		len -= i + size + 2;
		count++;
	}
	return count;
}

/* Runs converse with a copy of the input, and without its log lines. */
static void
run_quietly(void (*converse)(char *bytes, size_t size), const uint8_t *data,
    size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);
	int saved = dup(2), null = open("/dev/null", O_WRONLY);

	require(copy != NULL && saved != -1 && null != -1);
	if (size > 0)
		memcpy(copy, data, size);
	__sanitizer_set_report_fd((void *)(intptr_t)saved);
	require(dup2(null, 2) == 2);
	memset(&queue, 0, sizeof(queue));
	converse(copy, size);
	require(!queue.is_open);
	require(dup2(saved, 2) == 2);
	__sanitizer_set_report_fd((void *)(intptr_t)2);
	close(saved);
	close(null);
	free(copy);
}

#endif
