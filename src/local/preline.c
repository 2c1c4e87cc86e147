/*
 * preline - put From_, Return-Path and Delivered-To before the message
 * Runs as: the caller, from a .qmail line       Trusts: its environment
 * Reads:   the message on 0, from where it is   Writes: descriptor 0 of the
 *          program, a pipe
 * Exit:    the program's own code; 111 something failed here; 100 wrong usage,
 *          or UFLINE, RPLINE or DTLINE is not set
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/str.h"
#include "local/tool.h"

enum {
	CHUNK = 64 * 1024, /* bytes of message at a time */
};

struct lines {
	bool from, return_path, delivered_to; /* which of them are wanted */
};

static int
parse_options(int argc, char **argv, struct lines *lines)
{
	int option;

	*lines = (struct lines){true, true, true};
	while ((option = getopt(argc, argv, "frdFRD")) != -1) {
		switch (option) {
		case 'f':
		case 'F':
			lines->from = option == 'F';
			break;
		case 'r':
		case 'R':
			lines->return_path = option == 'R';
			break;
		case 'd':
		case 'D':
			lines->delivered_to = option == 'D';
			break;
		default:
			return -1;
		}
	}
	return optind < argc ? optind : -1;
}

/* Copies head and message. 0, or -1 with errno. */
static int
feed(int to, const struct str *head)
{
	static char buf[CHUNK];
	ssize_t got;

	if (fd_write_all(to, head->s, head->len) == -1)
		return -1;
	for (;;) {
		got = read(0, buf, sizeof(buf));
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		if (fd_write_all(to, buf, (size_t)got) == -1)
			return -1;
	}
}

int
main(int argc, char **argv)
{
	struct str head = STR_INIT;
	struct lines lines;
	const char *ufline, *rpline, *dtline;
	int first, ends[2], code;
	pid_t child;

	tool_init("preline");
	first = parse_options(argc, argv, &lines);
	if (first == -1)
		die_usage("preline [-frdFRD] program [argument ...]");
	ufline = tool_env("UFLINE");
	rpline = tool_env("RPLINE");
	dtline = tool_env("DTLINE");
	if (lines.from)
		str_append_cstr(&head, ufline);
	if (lines.return_path)
		str_append_cstr(&head, rpline);
	if (lines.delivered_to)
		str_append_cstr(&head, dtline);

	if (fd_pipe(ends) == -1)
		die_sys("fatal: cannot make a pipe");
	child = fork();
	if (child == -1)
		die_sys("fatal: cannot fork");
	if (child == 0) {
		if (fd_move(ends[0], 0) == -1)
			die_sys("fatal: cannot start the program");
		tool_exec(argv + first);
	}
	fd_close(ends[0]);
	/* a program that reads no further is no mistake */
	if (feed(ends[1], &head) == -1 && errno != EPIPE) {
		int error = errno;

		/* before the pipe ends: half a message must not look whole */
		(void)kill(child, SIGKILL);
		errno = error;
		die_sys("fatal: cannot copy the message");
	}
	fd_close(ends[1]);
	code = tool_wait(child);
	str_free(&head);
	return code;
}
