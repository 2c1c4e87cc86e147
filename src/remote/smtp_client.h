/*
 * smtp_client - the dialogue with one server, for any number of messages
 * Source: RFC 5321; RFC 1870 (SIZE), RFC 2920 (PIPELINING), RFC 6152
 * (8BITMIME).
 *
 * Every byte of the server is hostile. Each reply has timeout_s seconds from
 * the moment it is wanted to its last byte; the envelope of one message has
 * SMTP_ENVELOPE_FACTOR times that, and its body the same and one second for
 * each SMTP_BODY_RATE bytes.
 */
#ifndef REMOTE_SMTP_CLIENT_H
#define REMOTE_SMTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "net/ip.h"
#include "remote/message.h"
#include "remote/smtp_reply.h"
#include "remote/smtp_stream.h"
#include "remote/verdict.h"

enum {
	SMTP_ENVELOPE_FACTOR = 4,
	SMTP_BODY_RATE = 512, /* bytes a second that a server must take */
};

struct smtp_client {
	struct smtp_stream stream;
	struct ip ip;
	unsigned timeout_s;
	bool is_open; /* greeted, and fit for a transaction */
	bool has_pipelining, has_8bitmime, has_size;
	bool needs_rset;   /* a transaction ended half-way */
	uint64_t size_max; /* 0: none named */
	int64_t end_ms;    /* of the envelope in hand */
	struct smtp_reply reply;
};

enum smtp_outcome {
	SMTP_DECIDED,  /* the verdict stands */
	SMTP_TRY_NEXT, /* nothing was begun; the verdict is for the case that
			  no other server can be asked */
};

void smtp_client_init(struct smtp_client *client, unsigned timeout_s);
void smtp_client_free(struct smtp_client *client); /* closes */

/*
 * Takes over the connected socket fd, reads the greeting, says EHLO, or HELO
 * if that is refused. Returns 0; or -1 with the verdict set and the socket
 * closed: another server may do better.
 */
MUST_USE int smtp_client_open(struct smtp_client *client, int fd,
    const struct ip *ip, struct span helohost, struct verdict *verdict);

/*
 * Sends one message to the recipients of verdict that are not refused here
 * (at least one) and fills it. Addresses must not hold CR, LF or NUL. Closes
 * the connection if it is of no more use.
 */
MUST_USE enum smtp_outcome smtp_client_send(struct smtp_client *client,
    struct span sender, struct message *message, struct verdict *verdict);

/* Says QUIT without waiting for the answer, and closes. */
void smtp_client_quit(struct smtp_client *client);

#endif
