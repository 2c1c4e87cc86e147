/*
 * verdict - what became of one message and each of its recipients
 *
 * Printed by the one-shot qmail-remote as records; combined into one result a
 * recipient by the worker. Every text is whole lines and holds no NUL.
 */
#ifndef REMOTE_VERDICT_H
#define REMOTE_VERDICT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "net/ip.h"

struct verdict_recipient {
	struct span address;  /* borrowed */
	bool is_refused_here; /* never goes to a server */
	char letter; /* r accepted, h refused, s refused for now, 0 unknown */
	struct str text;
};

struct verdict {
	char letter; /* K, Z or D; 0 while nothing is known */
	struct str text;
	struct verdict_recipient *recipients;
	size_t count;
};

/* All unknown; the recipients' addresses are the caller's to set. */
void verdict_init(struct verdict *verdict, size_t count);
void verdict_free(struct verdict *verdict);

/* Sets letter and text of the message, replacing older ones; the line comes
   without its LF. */
void verdict_set(struct verdict *verdict, char letter, const char *line);
/* The same with "before", name made printable, and "after". */
void verdict_set_name(struct verdict *verdict, char letter, const char *before,
    struct span name, const char *after);
/* The same with "before", ip and "after"; then, unless it is empty, the text
   of the server as "Remote host said: ". */
void verdict_set_host(struct verdict *verdict, char letter, const char *before,
    const struct ip *ip, const char *after, struct span reply);
/* One recipient was refused by ip: letter h or s. */
void verdict_refuse(struct verdict_recipient *recipient, char letter,
    const struct ip *ip, struct span reply);
/* One recipient is refused by us, for good. */
void verdict_refuse_here(struct verdict_recipient *recipient, const char *line);
/* Forgets what a server said: the next one will be asked. */
void verdict_reset(struct verdict *verdict);

/* Appends the records, each with its NUL. */
void verdict_append_records(struct str *to, const struct verdict *verdict);
/* The result of one recipient: *letter is K, Z or D. */
struct span verdict_result(
    const struct verdict *verdict, size_t index, char *letter);

#endif
