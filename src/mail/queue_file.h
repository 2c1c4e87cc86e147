/*
 * queue_file - names and formats of the plain files under queue/
 *
 * Private to cqmail. Only qmail-queued and its qmail-clean write them;
 * qmail-send and the viewers read them. Pure: names and bytes, no I/O.
 *
 *   mess/S/ID    the Received line of the queue and the message
 *   env/S/ID     the envelope, immutable
 *   done/S/ID    one byte a recipient: 'T' to do, 'D' delivered, 'F' failed;
 *                any other byte, and a missing one, means to do
 *   bounce/S/ID  the texts of the failed recipients, in order of failure
 *   S is ID mod QUEUE_FILE_SPLIT. ID is decimal without leading zeros.
 *
 * env: fields of one letter, a value and NUL, in this order:
 *   v1  u uid  p qp-number  t seconds  s size  c CRC-32C  [O origin]  F sender
 *   [B failures]  T recip...  C CRC-32C
 * size and c are those of the mess file, t is the time of acceptance, C covers
 * every byte before its letter; both checksums are 8 lower-case hex digits.
 * A message that was taken over from another queue has an origin, "KEY/..."
 * where KEY stands for that queue; may have the paragraphs of a bounce about
 * recipients that failed there; and its recipients may have L (local) or R
 * (remote) in the place of T: these addresses are rewritten already.
 *
 * bounce: entries of 16 bytes head and text: CRC-32C of all that follows, its
 * seed the low half of ID; recipient index, text length, 0: little-endian u32.
 */
#ifndef MAIL_QUEUE_FILE_H
#define MAIL_QUEUE_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	QUEUE_FILE_SPLIT = 32,
	QUEUE_FILE_TEXT_MAX = 10000, /* bytes of a failure text */
	QUEUE_FILE_ORIGIN_MAX = 200, /* bytes of an origin */
};

enum queue_kind {
	QUEUE_MESS,
	QUEUE_ENV,
	QUEUE_DONE,
	QUEUE_BOUNCE,
	QUEUE_KINDS
};

/* Directory names, indexed by kind: "mess", "env", "done", "bounce". */
extern const char *const queue_kind_name[QUEUE_KINDS];

/* Replaces *path by "KIND/S/ID", relative to queue/. */
void queue_file_path(struct str *path, enum queue_kind kind, uint64_t id);

struct queue_envelope {
	uint64_t uid, qp, birth_s, size_bytes;
	uint32_t mess_crc;
	/* borrowed from the decoded bytes */
	struct span origin; /* empty: it came in here */
	struct span sender;
	struct span failures;   /* of recipients that are not here; or empty */
	struct span recipients; /* all "T...\0" fields, for the iterator */
	size_t recipient_count;
};

/* Appends an env file up to the failures; then one call a recipient; then end.
   start is to->len before the head. */
void queue_envelope_append_head(
    struct str *to, const struct queue_envelope *envelope);
void queue_envelope_append_recipient(struct str *to, struct span recipient);
void queue_envelope_append_end(struct str *to, size_t start);

/* Reads a whole env file; 0, or -1 if any byte is not as it should be. */
MUST_USE int queue_envelope_decode(
    struct span bytes, struct queue_envelope *envelope);
/* Takes the next recipient off *recipients. 1, or 0 at the end. */
MUST_USE int queue_envelope_next(
    struct span *recipients, struct span *recipient);
/* The same, with its letter: T, L or R. */
MUST_USE int queue_envelope_next_as(
    struct span *recipients, struct span *recipient, char *letter);
/* The KEY of an origin: what is before the first slash. */
struct span queue_origin_key(struct span origin);

struct queue_failure {
	uint32_t recipient; /* index, from 0 */
	struct span text;
};

void queue_failure_append(
    struct str *to, uint64_t id, const struct queue_failure *failure);
/* Takes the next entry off *bytes. 1; 0 at the end; -1 if the rest is torn. */
MUST_USE int queue_failure_next(
    struct span *bytes, uint64_t id, struct queue_failure *failure);

#endif
