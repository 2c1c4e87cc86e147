/*
 * verp - variable envelope return paths: a sender of its own a recipient
 *
 * A sender "pre@host-@[]" stands for "prebox=dom@host" towards the recipient
 * box@dom. Pure.
 */
#ifndef SEND_VERP_H
#define SEND_VERP_H

#include <stdbool.h>

#include "base/span.h"
#include "base/str.h"

/* True if sender has that form: the ending, and an '@' before it. */
bool verp_is(struct span sender);
/* Replaces *to by the sender that recipient sees; any other sender is copied
   as it is, and so is each for a recipient without '@'. */
void verp_expand(struct str *to, struct span sender, struct span recipient);
/* Where bounces go: "pre@host", or sender itself. A part of sender. */
struct span verp_base(struct span sender);

#endif
