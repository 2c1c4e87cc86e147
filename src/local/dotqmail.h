/*
 * dotqmail - finds the .qmail file of an address and reads its lines
 *
 * safe_ext is the extension with ASCII letters in lower case and '.' as ':',
 * so that no extension leads to another directory. Paths are relative to the
 * home directory, which must be the current one.
 */
#ifndef LOCAL_DOTQMAIL_H
#define LOCAL_DOTQMAIL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	DOTQMAIL_SIZE_MAX = 64 * 1024 * 1024, /* bytes of one file */
	DOTQMAIL_FORBIDDEN = 0002, /* mode bits that no file or home may have */
};

/* ---- names (pure) ---- */

void dotqmail_append_safe_ext(struct str *to, struct span ext);

struct dotqmail_search {
	struct span dash, safe_ext;
	size_t next; /* length of the next prefix to try */
	bool is_started;
};

/*
 * Replaces *name by the next name to look for, the best first. 1; 0 when there
 * is none left. *default_at becomes the offset in the extension where the part
 * for DEFAULT begins, or SPAN_NONE if DEFAULT is not to be set.
 */
MUST_USE int dotqmail_search_next(
    struct dotqmail_search *search, struct str *name, size_t *default_at);

/* ---- the file ---- */

struct dotqmail_file {
	struct str name, text;
	size_t default_at; /* as above */
	bool forward_only; /* its owner x bit is set */
};

#define DOTQMAIL_FILE_INIT                                                     \
	{                                                                      \
		STR_INIT, STR_INIT, SPAN_NONE, false                           \
	}

enum {
	DOTQMAIL_NONE = 0, /* no such file */
	DOTQMAIL_FOUND = 1,
	DOTQMAIL_ERROR = -1,    /* errno; file->name says where */
	DOTQMAIL_WRITABLE = -2, /* file->name has a forbidden mode bit */
};

/* Opens and reads the first file there is. Returns a code above. */
MUST_USE int dotqmail_find(
    struct span dash, struct span safe_ext, struct dotqmail_file *file);
void dotqmail_file_free(struct dotqmail_file *file);

/* ---- its lines (pure) ---- */

enum dotqmail_kind {
	DOTQMAIL_END,         /* no more lines */
	DOTQMAIL_BLANK_FIRST, /* the first line is blank: a mistake */
	DOTQMAIL_NUL,         /* a line with a NUL: damaged */
	DOTQMAIL_MAILDIR,     /* text: the directory, ending in '/' */
	DOTQMAIL_MBOX,        /* text: the file */
	DOTQMAIL_PROGRAM,     /* text: the command, without '|' */
	DOTQMAIL_FORWARD,     /* text: the address */
	DOTQMAIL_LIST,        /* from here on only forwards */
};

struct dotqmail_lines {
	struct span rest;
	bool is_started;
};

/* The next line that means something. *text is borrowed from the file. */
MUST_USE enum dotqmail_kind dotqmail_next_line(
    struct dotqmail_lines *lines, struct span *text);

#endif
