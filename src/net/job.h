/*
 * job - deliveries: what qmail-send asks of qmail-lspawn and qmail-rspawn, and
 * these of qmail-local and qmail-remote; and what comes back
 *
 * One packet each on an AF_UNIX SOCK_SEQPACKET socket; its content is
 * netstrings. A job travels with the descriptor of the message, a fresh open
 * file description at offset 0, which the receiver owns.
 *
 *   hello   "H" limit recipients    spawn -> send, once, at the start
 *   job     "J" number id host sender recipient...        downwards, with fd
 *   result  "R" number index letter text                  upwards
 *
 * limit: how many jobs at a time; recipients: how many in one job at most.
 * number names the job on this socket; index counts its recipients from 0;
 * letter is K, Z or D. A job ends when each of its recipients has its result.
 * host is the domain that the job goes to; for local jobs it is empty.
 */
#ifndef NET_JOB_H
#define NET_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/fd.h"
#include "base/span.h"
#include "base/str.h"

enum {
	JOB_RECIPIENTS_MAX = 100, /* in one job */
	JOB_TEXT_MAX = 10000,     /* bytes of a result's text; more is cut */
};

struct job {
	uint64_t number, id;
	struct span host, sender; /* borrowed from the packet */
	struct span recipients;   /* netstrings; take them one by one */
	size_t recipient_count;
};

struct job_result {
	uint64_t number;
	size_t index;
	char letter;
	struct span text; /* borrowed from the packet */
};

struct job_hello {
	uint64_t limit, recipients;
};

/* Each replaces *packet. The recipients of a job are appended afterwards with
   netstring_append; the whole may have FD_PACKET_MAX bytes. */
void job_encode_hello(struct str *packet, const struct job_hello *hello);
void job_encode_head(struct str *packet, uint64_t number, uint64_t id,
    struct span host, struct span sender);
void job_encode_result(struct str *packet, const struct job_result *result);

/* 0, or -1 if the packet is not one of that kind, whole and within limits. */
MUST_USE int job_decode_hello(struct span packet, struct job_hello *hello);
MUST_USE int job_decode(struct span packet, struct job *job);
MUST_USE int job_decode_result(struct span packet, struct job_result *result);

/* Whether fd may be a message: a plain file, open for reading only. */
bool job_is_message(int fd);

#endif
