/*
 * bounce - the text of a bounce message
 * Source: D. J. Bernstein, "The qmail-send Bounce Message Format (QSBMF)".
 *
 * Pure. Bytes from outside cannot add a header line or end a paragraph before
 * its time: newlines in addresses become '_', and in a report a newline that
 * follows another becomes '/'.
 */
#ifndef SEND_BOUNCE_H
#define SEND_BOUNCE_H

#include <stdint.h>

#include "base/span.h"
#include "base/str.h"

enum bounce_kind {
	BOUNCE_SINGLE,  /* to the sender, from the empty address */
	BOUNCE_DOUBLE,  /* of a bounce: to doublebounceto, from "#@[]" */
	BOUNCE_DOUBLES, /* the same for many bounces at once, without copies */
	BOUNCE_DISCARD, /* of a double bounce, or doublebounceto is empty */
};

/* What a failed message from that sender calls for; never BOUNCE_DOUBLES. */
enum bounce_kind bounce_kind_of(struct span sender, struct span doublebounceto);

struct bounce_head {
	enum bounce_kind kind;
	int64_t now_s;
	struct span bouncefrom, bouncehost;
	struct span to; /* the whole address */
};

/* Appends the header, its empty line and the first paragraph. */
void bounce_append_head(struct str *to, const struct bounce_head *head);
/* Appends the paragraph of one recipient, as the sender knows it. */
void bounce_append_failure(
    struct str *to, struct span recipient, struct span report);
/* Appends the line that the copy of the message follows, and the Return-Path
   line of the copy; sender as it shall be shown there. cut_bytes: how much of
   the message is copied if that is not all of it, else 0; then a second line
   of the paragraph says so. For BOUNCE_DOUBLES it is the end. */
void bounce_append_break(struct str *to, enum bounce_kind kind,
    struct span sender, uint64_t cut_bytes);

#endif
