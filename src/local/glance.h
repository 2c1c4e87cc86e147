/*
 * glance - what the start of a message says about it, for people and mailboxes
 */
#ifndef LOCAL_GLANCE_H
#define LOCAL_GLANCE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	GLANCE_SIZE = 64 * 1024, /* bytes of the message that are looked at */
	GLANCE_BODY = 256,       /* bytes of the body that are kept */
};

/* The first field of each name, without white space at its ends. */
struct glance {
	struct str return_path, delivered_to, from, subject;
	bool has_return_path;
	struct str body; /* its first bytes */
};

#define GLANCE_INIT                                                            \
	{                                                                      \
		STR_INIT, STR_INIT, STR_INIT, STR_INIT, false, STR_INIT        \
	}

/* Replaces the content by what the start of a message says. Pure. */
void glance_parse(struct glance *glance, struct span start);
/* The same, from the current offset of a descriptor. 0, or -1 with errno. */
MUST_USE int glance_read(struct glance *glance, int fd);
void glance_free(struct glance *glance);

/* What is between "<" and the last ">" of a Return-Path, or all of it. */
struct span glance_path(struct span return_path);
/*
 * Appends at most max bytes, fit for a terminal: LF as '/', every other byte
 * under 32 or over 126 as '_'.
 */
void glance_append_shown(struct str *to, struct span bytes, size_t max);

#endif
