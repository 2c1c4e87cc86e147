/*
 * inject_settings - what the environment and control/ tell qmail-inject
 *
 * The variables are those of qmail-inject(8); where several name one thing the
 * first that is set counts, even if it is empty.
 */
#ifndef INJECT_INJECT_SETTINGS_H
#define INJECT_INJECT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"
#include "conf/control.h"
#include "mail/rewrite.h"

struct inject_settings {
	/* the letters of QMAILINJECT */
	bool name_as_comment;    /* c */
	bool ignore_return_path; /* s */
	bool drop_from;          /* f */
	bool drop_message_id;    /* i */
	bool verp_recipient;     /* r */
	bool verp_message;       /* m */
	struct rewrite rules;    /* default host and domains */
	struct str idhost;       /* right side of Message-ID */
	struct span user, host;  /* of the default From; host may be missing */
	bool has_host;           /* QMAILHOST or MAILHOST is set */
	struct span name;        /* full name, empty if none */
	struct span sender_user; /* of the default envelope sender */
	struct span sender_host; /* likewise */
	bool has_sender_host;    /* one of the host variables is set */
	bool has_lists;          /* QMAILMFTFILE was read */
	struct control_table lists; /* addresses of mailing lists */
	int64_t now_s;
	pid_t pid;
};

/* Reads all of it and changes to the home directory; ends the program with 111
   if something cannot be read. */
void inject_settings_load(struct inject_settings *settings);
void inject_settings_free(struct inject_settings *settings);

/* Appends the envelope sender for a message that names none itself. */
void inject_settings_append_sender(
    struct str *to, const struct inject_settings *settings);
/* Appends "name: " and the default author, without LF. */
void inject_settings_append_from(
    struct str *to, const struct inject_settings *settings, const char *name);
/* Appends "YYYYMMDDHHMMSS.PID.qmail@idhost" of this run. */
void inject_settings_append_id(
    struct str *to, const struct inject_settings *settings);

#endif
