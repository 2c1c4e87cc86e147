/*
 * mailbox - the messages of a Maildir, as one POP3 session sees them
 *
 * Works in the current directory, which is the Maildir. The list is made once;
 * other programs may move or remove files meanwhile, and such messages just
 * cannot be opened any more. Only regular files are seen; no symbolic link is
 * followed. Nothing changes before mailbox_commit.
 */
#ifndef POP3_MAILBOX_H
#define POP3_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	MAILBOX_MESSAGES_MAX = 200000, /* one session sees no more */
	MAILBOX_TMP_MAX_S = 36 * 3600, /* age at which tmp/ files are waste */
};

struct mailbox_message {
	struct timespec mtime;
	size_t name;      /* offset of its path in names */
	const char *path; /* "new/X" or "cur/X", in names */
	uint64_t octets;  /* valid if is_counted */
	bool is_counted, is_deleted;
};

struct mailbox {
	struct mailbox_message *messages; /* oldest first; then by name */
	size_t count, room;
	struct str names;
};

#define MAILBOX_INIT                                                           \
	{                                                                      \
		NULL, 0, 0, STR_INIT                                           \
	}

/* Changes to the Maildir and gives up all else (base/sandbox.h). 0, or -1. */
MUST_USE int mailbox_enter(const char *path);
/* Removes forgotten files from tmp/. Trouble is ignored: next time. */
void mailbox_clean_tmp(int64_t now_s);
/*
 * Fills *mailbox, which is MAILBOX_INIT, with the files in new/ and cur/ whose
 * name does not start with a dot and that were written before this instant.
 * Returns 0, or -1 with errno.
 */
MUST_USE int mailbox_scan(struct mailbox *mailbox);
void mailbox_free(struct mailbox *mailbox);

/* A descriptor of message number index, from 0, or -1 with errno. */
MUST_USE int mailbox_open(const struct mailbox *mailbox, size_t index);
/* How many octets RETR sends for it; 0 if it cannot be read. Reads the file
   the first time. */
uint64_t mailbox_octets(struct mailbox *mailbox, size_t index);
/* How many messages are not deleted, and their octets. */
size_t mailbox_total(struct mailbox *mailbox, uint64_t *octets);
/* How many are marked as deleted. */
size_t mailbox_deleted(const struct mailbox *mailbox);
/* The name up to its first colon, for UIDL; lies in names. */
struct span mailbox_uid(const struct mailbox *mailbox, size_t index);

/*
 * Unlinks the messages that are marked as deleted and moves the others from
 * new/X to "cur/X:2,". Returns how many could not be unlinked.
 */
size_t mailbox_commit(struct mailbox *mailbox);

#endif
