/*
 * import_record - what was taken over from a classic queue, and where it is
 *                 written down
 *
 * Two files in the directory of that queue, both made durable before the call
 * returns:
 *   cqmail-import    a random key, which every message that comes from there
 *                    carries; made first
 *   cqmail-imported  a line "number size mtime id" for each message, sorted
 */
#ifndef ADMIN_IMPORT_RECORD_H
#define ADMIN_IMPORT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

#define IMPORT_KEY_FILE "cqmail-import"
#define IMPORT_LIST_FILE "cqmail-imported"

enum {
	IMPORT_KEY_LEN = 32,
};

/* A message as it lay there; numbers are given again, therefore the rest. */
struct import_entry {
	uint64_t number, size_bytes, mtime_s;
	uint64_t id; /* here */
};

struct import_record {
	struct import_entry *entries;
	size_t count, room;
	size_t sorted; /* so many are in order */
};

#define IMPORT_RECORD_INIT                                                     \
	{                                                                      \
		NULL, 0, 0, 0                                                  \
	}

void import_record_add(
    struct import_record *record, const struct import_entry *entry);
/* Puts the entries in order; of equal ones the first is kept. */
void import_record_sort(struct import_record *record);
/* True if an equal one was there when it was last sorted. */
bool import_record_has(
    const struct import_record *record, const struct import_entry *entry);
void import_record_free(struct import_record *record);

/* "KEY/number/size/mtime": 0, or -1 if origin has not that key or form. */
MUST_USE int import_record_parse_origin(
    struct span origin, struct span key, struct import_entry *entry);
/* The lines of the list, for all of text. 0, or -1. */
MUST_USE int import_record_parse(
    struct import_record *record, struct span text);

/* The files, in the directory dir. 0, or -1 with errno (EBADMSG: it holds
   something else). */
/* Replaces *key by the key, which is made if create is set and it is not
   there; without it *key is then empty. */
MUST_USE int import_record_load_key(int dir, bool create, struct str *key);
/* Adds what the list holds, if there is one. */
MUST_USE int import_record_load(int dir, struct import_record *record);
/* Writes the list anew. */
MUST_USE int import_record_save(int dir, struct import_record *record);

#endif
