/*
 * clean_job - what qmail-queued asks of a qmail-clean, and its answer
 *
 * One packet each on an AF_UNIX SOCK_SEQPACKET socket, netstring fields:
 *   "R" id...          remove all files of these messages; with CLEAN_PLAIN
 *                      set in an id, only mess and env were ever made of it
 *   "S" number flag    sync tmp/NUMBER, with flag 1 tmp/NUMBER.env too
 *   "C" slot epoch     checkpoint journal/SLOT
 *   "P" slot bytes     make journal/SLOT
 * A job may be done twice. The answer is "K", or "E" and a text.
 */
#ifndef QUEUE_CLEAN_JOB_H
#define QUEUE_CLEAN_JOB_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	CLEAN_JOB_IDS_MAX = 500,
	CLEAN_JOB_PACKET_MAX = 16 * 1024,
};

/* The top bit, which no id has. */
#define CLEAN_PLAIN ((uint64_t)1 << 63)

enum clean_job_kind {
	CLEAN_REMOVE = 'R',
	CLEAN_SYNC = 'S',
	CLEAN_CHECKPOINT = 'C',
	CLEAN_PREPARE = 'P',
};

struct clean_job {
	enum clean_job_kind kind;
	uint64_t a, b; /* as above; unused by CLEAN_REMOVE */
	uint64_t ids[CLEAN_JOB_IDS_MAX];
	size_t id_count; /* of CLEAN_REMOVE */
};

void clean_job_encode(struct str *packet, const struct clean_job *job);
/* 0, or -1 if it is not a job. */
MUST_USE int clean_job_decode(struct span packet, struct clean_job *job);

/* error is NULL, or the text of an error. */
void clean_job_encode_answer(struct str *packet, const char *error);
/* 1 done; 0 failed, then *error is the text, in packet; -1 not an answer. */
MUST_USE int clean_job_decode_answer(struct span packet, struct span *error);

#endif
