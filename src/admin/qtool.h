/*
 * qtool - the verbs of qmail-qtool, and what they share
 *
 * A handler gets the arguments from its verb on (argv[0] is the verb) and
 * returns the exit code, or ends the process with one line on stderr. The
 * working directory is still the caller's: qtool_open_queue leaves it.
 */
#ifndef ADMIN_QTOOL_H
#define ADMIN_QTOOL_H

#include <stdint.h>

#include "base/attr.h"

enum {
	QTOOL_NO_MATCH = 1, /* exit code: no such message, nothing matched */
};

/* ---- handlers ----------------------------------------------------------- */

int qtool_import(int argc, char **argv);
int qtool_show(int argc, char **argv);

/* ---- shared ------------------------------------------------------------- */

/*
 * Changes to the home and opens queue/ there; root becomes its owner. Ends the
 * process if this one may not read the queue. The descriptor lives as long as
 * the process.
 */
int qtool_open_queue(void);
/* The message number that text is; ends the process if it is none. */
uint64_t qtool_parse_id(const char *text);
/* Complains about the arguments of a verb: exit 100. */
NORETURN void qtool_usage(const char *synopsis);

#endif
