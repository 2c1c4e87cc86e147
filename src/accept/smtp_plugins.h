/*
 * smtp_plugins - programs of the administrator that have a say in a
 * conversation
 *
 * control/smtpplugins, or the file that SPPCONFFILE names, has sections
 * ([connection], [helo], [mail], [rcpt], [pass], [data]; [auth] is there for
 * servers that offer it) of lines, each the path of a program or ':' and a
 * command for the shell. At that stage they are run in order, as the account of
 * the server and in its home, and what they print decides, a command a line:
 *
 *   Htext  add a header line        Caddress  replace sender or recipient
 *   SX=v   set a variable           UX        unset it
 *   A      no more plugins at all   N         no more at this command
 *   O      N, and skip the server's own checks of this command
 *   Etext  reply text, refuse       Rtext     reply text and close
 *   D      close without a word     Ptext     reply text and go on
 *   LMtext, LRtext, LDtext          refuse MAIL, RCPT or DATA later
 */
#ifndef ACCEPT_SMTP_PLUGINS_H
#define ACCEPT_SMTP_PLUGINS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/out.h"
#include "base/str.h"

enum {
	SMTP_PLUGINS_MAX = 1000,         /* lines of the file */
	SMTP_PLUGIN_LINE_MAX = 2000,     /* bytes of a line printed */
	SMTP_PLUGIN_OUTPUT_MAX = 65536,  /* bytes printed in one run */
	SMTP_PLUGIN_TIMEOUT_MS = 120000, /* for one run */
	SMTP_PLUGIN_HEADER_MAX = 65536,  /* bytes added to one message */
};

enum smtp_stage {
	SMTP_AT_CONNECTION,
	SMTP_AT_HELO,
	SMTP_AT_MAIL,
	SMTP_AT_RCPT,
	SMTP_AT_PASS, /* a recipient that the server's checks let pass */
	SMTP_AT_DATA,
	SMTP_AT_AUTH,
	SMTP_STAGES,
};

enum smtp_advice {
	SMTP_ADVICE_GO_ON,
	SMTP_ADVICE_SKIP_CHECKS, /* take it without checks of our own */
	SMTP_ADVICE_REFUSE,      /* with plugins->reply */
	SMTP_ADVICE_CLOSE,       /* the same, or silently if that is empty */
};

struct smtp_plugin;

struct smtp_plugins {
	struct smtp_plugin *all;
	size_t count, room;
	bool is_over;      /* no more of them in this conversation */
	bool has_set;      /* a variable was changed: read what depends on it */
	struct str reply;  /* of the last advice */
	struct str header; /* lines for the message that comes, LF ended */
	/* refusals to come, by stage: of the conversation; of the transaction
	 */
	struct str always[SMTP_STAGES], now[SMTP_STAGES];
};

/* No plugins. */
void smtp_plugins_init(struct smtp_plugins *plugins);
/* Sets all of *plugins; the current directory is the home. No file: none.
   Returns 0, or -1 with errno; EINVAL after a line on stderr. */
MUST_USE int smtp_plugins_load(struct smtp_plugins *plugins);
void smtp_plugins_free(struct smtp_plugins *plugins);
/* Forgets what was said about a transaction. */
void smtp_plugins_reset(struct smtp_plugins *plugins);
bool smtp_plugins_has(const struct smtp_plugins *plugins);
/* The refusal that an earlier plugin left for this stage, or NULL. */
const char *smtp_plugins_refusal(
    const struct smtp_plugins *plugins, enum smtp_stage stage);

/*
 * Runs the plugins of a stage. address: what C replaces, or NULL; it stays free
 * of NUL and no longer than max bytes. Replies of P go to out. A plugin that
 * cannot be run, or says nothing that makes sense, is a temporary refusal.
 */
enum smtp_advice smtp_plugins_ask(struct smtp_plugins *plugins,
    enum smtp_stage stage, struct str *address, size_t max, struct out *out);

/* Obeys one line of output. Pure but for variables. Returns 0 to read on, 1 if
 *advice is the last word, -1 if the line makes no sense. */
MUST_USE int smtp_plugins_obey(struct smtp_plugins *plugins,
    enum smtp_stage stage, struct span line, struct str *address, size_t max,
    struct out *out, enum smtp_advice *advice);

#endif
