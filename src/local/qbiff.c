/*
 * qbiff - say on the user's terminals that mail has come
 * Runs as: the caller, from a .qmail line
 * Trusts:  USER, and the names of terminals in the login records
 * Reads:   the start of the message on 0, the login records
 * Writes:  terminals of the user that take messages
 * Exit:    0 always: the mail itself is none of its business
 */
#define _XOPEN_SOURCE 700 /* the login records are XSI */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utmpx.h>

#include "base/str.h"
#include "local/glance.h"
#include "local/terminal.h"
#include "local/tool.h"

enum {
	COLUMNS = 78, /* of the line with the subject */
};

static struct span
variable(const char *name)
{
	const char *value = getenv(name);

	return value == NULL ? SPAN_LITERAL("") : span_of(value);
}

/* Everything in it comes from strangers, and none of it reaches the terminal
   but as printable ASCII. */
static void
append_text(struct str *to, struct glance *glance)
{
	struct span sender = variable("SENDER"), local = variable("LOCAL");
	struct str line = STR_INIT;

	str_append_cstr(to, "\r\n\a*** TO <");
	glance_append_shown(to, local, local.len);
	str_append_cstr(to, "> FROM <");
	glance_append_shown(to, sender, sender.len);
	str_append_cstr(to, ">\r\n    ");
	str_append_span(&line, str_span(&glance->subject));
	str_append_char(&line, '\n');
	str_append_span(&line, str_span(&glance->body));
	glance_append_shown(to, str_span(&line), COLUMNS - 4);
	str_append_cstr(to, "\r\n");
	str_free(&line);
}

/* A field of a login record: full, or up to NUL. */
static struct span
field_of(const char *bytes, size_t size)
{
	struct span all = {bytes, size};
	size_t end = span_find(all, '\0');

	return end == SPAN_NONE ? all : span_until(all, end);
}

static void
write_terminals(struct span user, struct span text)
{
	const struct utmpx *entry;

	setutxent();
	while ((entry = getutxent()) != NULL) {
		if (entry->ut_type != USER_PROCESS ||
		    !span_equal(
			user, field_of(entry->ut_user, sizeof(entry->ut_user))))
			continue;
		/* a terminal that does not take it is none of ours */
		(void)!terminal_write(
		    field_of(entry->ut_line, sizeof(entry->ut_line)), geteuid(),
		    text);
	}
	endutxent();
}

int
main(void)
{
	struct glance glance = GLANCE_INIT;
	struct str text = STR_INIT;
	struct span user;

	tool_init("qbiff");
	user = variable("USER");
	if (user.len == 0)
		return 0;
	(void)!glance_read(&glance, 0); /* then only the envelope is told */
	append_text(&text, &glance);
	write_terminals(user, str_span(&text));
	glance_free(&glance);
	str_free(&text);
	return 0;
}
