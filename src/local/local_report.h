/*
 * local_report - what qmail-lspawn makes of the end of a delivery process
 *
 * Exit codes of a one-shot qmail-local (or QMAILLOCAL), of qmail-getpw, and of
 * qmail-lspawn's own child before it has become one of these.
 */
#ifndef LOCAL_LOCAL_REPORT_H
#define LOCAL_LOCAL_REPORT_H

#include "base/attr.h"
#include "base/span.h"
#include "local/report.h"

enum {
	LOCAL_BUG = 112,
	LOCAL_ROOT = 113,
	LOCAL_CDB = 117,
	LOCAL_SYSTEM = 118,
	LOCAL_MEMORY = 119,
	LOCAL_EXEC = 120,
	LOCAL_GETPW_EXEC = 121,
};

/*
 * The text that stands for code whatever the program printed, or NULL if there
 * is none; code may be CHILD_KILLED. *letter is set with it.
 */
const char *local_report_fixed(int code, char *letter);
/* Z or D for a qmail-getpw that gave no entry, and the text, static. */
const char *local_report_getpw(int code, char *letter);
/* The text for a worker that ended while it owed a report; the letter is Z. */
const char *local_report_lost(int code);
/* K, Z or D, and the text in *report, from the code and the output. */
char local_report_output(int code, struct span output, struct report *report);

#endif
