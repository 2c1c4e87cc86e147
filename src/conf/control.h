/*
 * control - reads the files of control/, with qmail's exact rules
 *
 * Single values: first line only, trailing spaces, tabs and LF stripped; an
 * empty file is the empty string. Lists: lines right-trimmed, empty ones and
 * those starting with '#' dropped; an empty file is an empty list. Maps: lines
 * with a colon; the last of equal keys wins. Keys compare without ASCII case.
 * Names are relative to the current directory, which control_home sets.
 * Calls return 1 found, 0 no such file, -1 other trouble (errno).
 */
#ifndef CONF_CONTROL_H
#define CONF_CONTROL_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

enum {
	CONTROL_SIZE_MAX = 64 * 1024 * 1024, /* bytes of one control file */
};

/* QMAILHOME, or the directory that conf-qmail named. Static or environment. */
const char *control_home_path(void);
/* Changes to it. 0, or -1 with errno; EINVAL if QMAILHOME is no absolute path
   (a program that this one starts would look for it somewhere else). */
MUST_USE int control_home(void);

/*
 * For a program that asks for many files of which most are missing, and does
 * not live long: lists control/ once; a name that is not there is missing from
 * then on without being asked for. Where a listing cannot be had, or is too
 * long to be one of a single moment, each file is asked for as ever.
 */
void control_glance(void);
/* True if the listing is whole and has no symbolic links: for a sandbox. */
bool control_has_no_links(void);
/* True if the listing says so. Of what it does not speak of it says nothing. */
bool control_is_missing(const char *path);
/* Appends the whole file. 0, or -1 with errno. */
MUST_USE int control_read(const char *path, struct str *text);

/* Replace *value, except when they return 0 or -1. path: "control/me". */
MUST_USE int control_line(const char *path, struct str *value);
/* The same; missing: the content of control/me if that is there; else, if
   literal is not NULL, literal; else 0. -1 also if control/me is there and
   cannot be read, whether it is wanted or not. */
MUST_USE int control_line_default_me(
    const char *path, const char *literal, struct str *value);
/* Leading digits of the first line; a file without them counts as missing. */
MUST_USE int control_number(const char *path, unsigned long *value);

/* A list or a map: a hash of borrowed keys over one owned buffer. */
struct control_table {
	struct str text;
	struct control_slot *slots;
	size_t slot_count, entry_count;
	struct span *lines; /* the entries in file order, as they stand */
};

#define CONTROL_TABLE_INIT                                                     \
	{                                                                      \
		STR_INIT, NULL, 0, 0, NULL                                     \
	}

MUST_USE int control_list(const char *path, struct control_table *table);
MUST_USE int control_map(const char *path, struct control_table *table);
/* The same from bytes; 0, or -1 with ENOMEM. For control/me as a list. */
MUST_USE int control_list_of(struct span text, struct control_table *table);
bool control_has(const struct control_table *table, struct span key);
/* True if key is there; then *value is what follows its colon. */
bool control_find(
    const struct control_table *table, struct span key, struct span *value);
/*
 * Looks up domain as routes do: the whole of it, each suffix that starts with
 * a dot, then, if empty_too, the empty key. The first key found decides.
 */
bool control_find_domain(const struct control_table *table, struct span domain,
    bool empty_too, struct span *value);
void control_table_free(struct control_table *table);

#endif
