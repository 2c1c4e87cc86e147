#include "admin/check_parts.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/die.h"
#include "base/str.h"

/*
 * The rules of the servers, as qmail-conf makes them: a database that is older
 * than its text. One without the other is a choice: a site may compile its
 * rules elsewhere, or have none.
 */
static const char *const protocols[] = {
    "pop3", "qmqp", "qmtp", "smtp", "submission"};

/* 1, 0 if there is no such file, -1 after a finding. */
static int
look(struct check_report *report, const char *path, struct stat *st)
{
	if (stat(path, st) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	check_report_trouble(report, path, errno);
	return -1;
}

void
check_rules(struct check_report *report)
{
	static const struct check_advice old = {
	    "tcpserver obeys the rules as they were before", "qmailctl cdb"};
	struct str text = STR_INIT, made = STR_INIT;

	for (size_t i = 0; i < COUNT(protocols); i++) {
		struct stat text_st, made_st;

		str_format(&text, "control/tcp.%s", protocols[i]);
		str_format(&made, "%s.cdb", text.s);
		if (look(report, text.s, &text_st) == 1 &&
		    look(report, made.s, &made_st) == 1 &&
		    check_is_newer(&text_st, &made_st))
			check_report_add(report, old, made.s, 0,
			    "it is older than tcp.%s", protocols[i]);
	}
	str_free(&text);
	str_free(&made);
}
