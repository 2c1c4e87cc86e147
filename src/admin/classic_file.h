/*
 * classic_file - the files about one message in a queue of classic qmail
 *
 * Pure: whole files in, what they say out. Records end with NUL:
 *
 *   todo/N            u uid  p pid  F sender  T recipient...
 *   info/N            F sender
 *   local/N remote/N  T recipient (to do) or D recipient (done), rewritten
 *   bounce/N          paragraphs of a bounce, one a failed recipient
 */
#ifndef ADMIN_CLASSIC_FILE_H
#define ADMIN_CLASSIC_FILE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

struct classic_todo {
	uint64_t uid, pid;  /* 0 if they are not there */
	struct span sender; /* borrowed from the file, here and below */
};

/* These return NULL, or what is wrong with the file. */
MUST_USE const char *classic_parse_todo(
    struct span file, struct classic_todo *todo);
MUST_USE const char *classic_parse_info(struct span file, struct span *sender);
MUST_USE const char *classic_parse_channel(struct span file);

/* Takes records off *file, which was parsed without complaint, up to the next
   recipient that is to do. 1, or 0 at the end. */
MUST_USE int classic_next_recipient(struct span *file, struct span *recipient);

/* Replaces *to by a bounce file as whole paragraphs without NUL. A message that
   has one owes a bounce even if it is empty: then a paragraph says so. */
void classic_mend_bounce(struct span file, struct str *to);

#endif
