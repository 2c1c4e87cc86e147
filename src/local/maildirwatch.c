/*
 * maildirwatch - show what is new in a maildir, again and again
 * Runs as: the invoking user       Trusts: its environment, not the messages
 * Reads:   new/ of the maildir MAILDIR
 * Writes:  nothing; its screen is descriptor 1
 * Exit:    111 MAILDIR is not set or cannot be read, or the screen is gone
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/str.h"
#include "local/glance.h"
#include "local/maildir_list.h"
#include "local/tool.h"

enum {
	PAUSE_S = 30,
	COLUMNS = 78,
};

static const char clear_screen[] = "\033[H\033[2J";

/* One line: name, and as much of both parts as fits. */
static void
append_line(
    struct str *to, const char *name, struct span text, struct span more)
{
	size_t start = to->len, used;

	str_append_cstr(to, name);
	used = to->len - start;
	glance_append_shown(to, text, COLUMNS - used);
	used = to->len - start;
	glance_append_shown(to, more, COLUMNS - used);
	str_append_char(to, '\n');
}

/* Appends what there is to say about a message; nothing if it is gone. */
static void
append_message(struct str *to, const char *path)
{
	struct glance glance = GLANCE_INIT;
	struct span none = SPAN_LITERAL("");
	int fd = open(
	    path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT)
		return;
	if (fd == -1 || glance_read(&glance, fd) == -1) {
		append_line(to, "unreadable: ", span_of(path), none);
	} else {
		append_line(to, "FROM ",
		    glance_path(str_span(&glance.return_path)), none);
		append_line(to, "  TO ", str_span(&glance.delivered_to), none);
		append_line(to, "From: ", str_span(&glance.from), none);
		str_append_char(&glance.subject, '\n');
		append_line(to, "    ", str_span(&glance.subject),
		    str_span(&glance.body));
	}
	str_append_char(to, '\n');
	fd_close(fd);
	glance_free(&glance);
}

static void
show(const char *maildir)
{
	struct maildir_list list = MAILDIR_LIST_INIT;
	struct str screen = STR_INIT;

	if (maildir_list_add(&list, maildir, "new") == -1)
		die_sys("fatal: cannot read %s", quote(maildir));
	maildir_list_sort(&list);
	str_append_cstr(&screen, clear_screen);
	for (size_t i = 0; i < list.count; i++)
		append_message(&screen, list.files[i].path);
	if (list.count == 0)
		str_append_cstr(&screen, "no new mail\n");
	if (fd_write_all(1, screen.s, screen.len) == -1)
		die_sys("fatal: cannot write");
	maildir_list_free(&list);
	str_free(&screen);
}

int
main(void)
{
	const char *maildir;

	tool_init("maildirwatch");
	maildir = getenv("MAILDIR");
	if (maildir == NULL || maildir[0] == '\0')
		die_temp("fatal: MAILDIR is not set");
	for (;;) {
		struct timespec pause = {PAUSE_S, 0};

		show(maildir);
		(void)nanosleep(&pause, NULL); /* waking early does no harm */
	}
}
