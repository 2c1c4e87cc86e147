/*
 * letter - one message on its way into the queue: bytes, or a file in tmp/
 *
 * The queue puts a Received line on top, which names the message's number, and
 * the envelope names it too. A large letter is written to the disk before its
 * id is known: it is written with a reserved number, and its first bytes are
 * replaced in the end. If the id has more digits than the number that was
 * reserved, the number stays.
 *
 * A letter with an origin was taken over from another queue: it has its
 * Received line already, and is as old as it was there.
 */
#ifndef QUEUE_LETTER_H
#define QUEUE_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "conf/accounts.h"

struct letter {
	uint64_t uid;
	uint64_t label;   /* shown instead of the id if not 0 */
	int64_t start_s;  /* date of the Received line */
	int64_t accept_s; /* date of the envelope */
	struct str origin;
	struct str sender;
	struct str failures;
	struct str recipients; /* "T...NUL" each; or another letter */
	struct str body;       /* unless is_large */
	/* large letters only */
	bool is_large;
	bool env_file;     /* tmp/NUMBER.env is there */
	uint64_t number;   /* tmp/NUMBER */
	uint64_t reserved; /* what the Received line says for now */
	int fd;            /* of tmp/NUMBER while it is written, or -1 */
	size_t head_len;   /* of the Received line in it */
	size_t env_len;    /* of tmp/NUMBER.env */
	uint32_t body_crc; /* of what follows it */
	uint64_t body_size;
};

void letter_init(struct letter *letter);
/* Frees, closes, and removes what is in tmp/. */
void letter_free(struct letter *letter);

/* Bytes of the envelope, but for numbers; and of body and envelope. */
uint64_t letter_env_size(const struct letter *letter);
uint64_t letter_size(const struct letter *letter);
/* Moves the body to tmp/NUMBER. 0, or -1 with errno. */
MUST_USE int letter_make_large(struct letter *letter,
    const struct accounts *accounts, uint64_t number, uint64_t reserved);
/* Appends to the body. 0, or -1 with errno. */
MUST_USE int letter_append(struct letter *letter, struct span bytes);
/* The body is whole. 0, or -1 with errno. */
MUST_USE int letter_end(struct letter *letter);
/* Writes tmp/NUMBER.env, with reserved in the place of the id. */
MUST_USE int letter_write_env(
    struct letter *letter, const struct accounts *accounts);

/* Replaces *head by the Received line, and *env by the env file, for id. Their
   length does not depend on id if the letter is large. */
void letter_compose(const struct letter *letter,
    const struct accounts *accounts, uint64_t id, struct str *head,
    struct str *env);
/* Where in env the sender starts: what is before depends on the id. */
size_t letter_env_head(struct span env);

#endif
