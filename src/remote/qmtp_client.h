/*
 * qmtp_client - the dialogue with one QMTP server, for any number of messages
 * Source: D. J. Bernstein, "Quick Mail Transfer Protocol", 1997-02-01.
 *
 * The message leaves byte for byte, in the form whose lines end with LF; then
 * the sender and all recipients; then one answer for each recipient comes, in
 * their order. Every byte of the server is hostile. Each answer has timeout_s
 * seconds to its last byte, all together QMTP_ANSWERS_FACTOR times that;
 * sending has timeout_s and one second for each QMTP_BODY_RATE bytes.
 */
#ifndef REMOTE_QMTP_CLIENT_H
#define REMOTE_QMTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "net/ip.h"
#include "remote/message.h"
#include "remote/qmtp_answer.h"
#include "remote/smtp_client.h"
#include "remote/smtp_stream.h"
#include "remote/verdict.h"

enum {
	QMTP_ANSWERS_FACTOR = 4,
	QMTP_BODY_RATE = 512, /* bytes a second that a server must take */
	/* bytes of a message; servers take no netstring of more than 200000000,
	   and here is the byte in it that is not the message's */
	QMTP_MESSAGE_MAX = 200000000 - 1,
};

struct qmtp_client {
	struct smtp_stream stream;
	struct ip ip;
	unsigned timeout_s;
	bool is_open; /* connected, and fit for a message */
	struct qmtp_answer answer;
};

void qmtp_client_init(struct qmtp_client *client, unsigned timeout_s);
void qmtp_client_free(struct qmtp_client *client); /* closes */

/* Takes over the connected socket fd. Nothing is said before a message. */
void qmtp_client_open(struct qmtp_client *client, int fd, const struct ip *ip);

/*
 * Sends one message of size_bytes (message_size) to the recipients of verdict
 * that are not refused here (at least one) and fills it. SMTP_TRY_NEXT: the
 * server cannot have taken the message; it is rewound. Closes the connection
 * if it is of no more use.
 */
MUST_USE enum smtp_outcome qmtp_client_send(struct qmtp_client *client,
    struct span sender, struct message *message, uint64_t size_bytes,
    struct verdict *verdict);

void qmtp_client_close(struct qmtp_client *client);

#endif
