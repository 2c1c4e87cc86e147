/*
 * remote_report - what qmail-rspawn makes of the output of a one-shot
 *                 qmail-remote (QMAILREMOTE) that had one recipient
 *
 * The output is records that end with NUL: first one for the recipient, r, h
 * or s with a text, then one for the message, K, Z or D with a text.
 */
#ifndef REMOTE_REMOTE_REPORT_H
#define REMOTE_REMOTE_REPORT_H

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/* K, Z or D; replaces *text. code: an exit code, or CHILD_KILLED. */
char remote_report(int code, struct span output, struct str *text);
/* The text for a worker that ended while it owed a report; the letter is Z. */
const char *remote_report_lost(int code);

#endif
