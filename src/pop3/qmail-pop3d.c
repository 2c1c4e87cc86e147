/*
 * qmail-pop3d - give one Maildir to its owner by POP3, on descriptors 0 and 1
 * Runs as: the owner, after qmail-popup and a password check; never root
 * Trusts:  its argument and the Maildir's names
 * Reads:   the Maildir, the network    Writes: the network; at QUIT the Maildir
 * Exit:    0; 1 if run by root; 111 if memory runs out
 *
 * The list of messages is fixed at the start. Whatever ends the session but
 * QUIT leaves the Maildir as it was.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/in.h"
#include "base/out.h"
#include "base/sig.h"
#include "base/str.h"
#include "pop3/mailbox.h"
#include "pop3/pop3_command.h"
#include "pop3/pop3_log.h"
#include "pop3/pop3_text.h"

enum {
	IDLE_MAX_S = 1200,     /* for one read or write */
	SESSION_MAX_S = 86400, /* for all of it */
	LONG_LINES_MAX = 16,   /* of more than POP3_LINE_MAX bytes */
};

static struct {
	struct in in;
	struct out out;
	char in_buf[4096], out_buf[32768];
	struct str line;
	struct mailbox mailbox;
	size_t last; /* highest number deleted */
	size_t retrieved, deleted;
} pop3d = {.line = STR_INIT, .mailbox = MAILBOX_INIT};

static void
reply(const char *text)
{
	out_cstr(&pop3d.out, text);
	out_cstr(&pop3d.out, "\r\n");
}

/* Whoever misses mail finds in the log who has taken it. */
static NORETURN void
leave(const char *result)
{
	const char *user = getenv("USER");

	if (out_flush(&pop3d.out) == -1)
		result = errno == ETIMEDOUT ? "timeout" : "lost";
	pop3_log(span_of(user != NULL ? user : "unknown"),
	    "result=%s messages=%zu retrieved=%zu deleted=%zu", result,
	    pop3d.mailbox.count, pop3d.retrieved, pop3d.deleted);
	_exit(0);
}

/* Takes the number of a message off *argument and sets *index. 1, or 0 after
   an error reply. */
static int
read_index(struct span *argument, size_t *index)
{
	const char *wrong = NULL;
	uint64_t number;

	if (!pop3_command_number(argument, &number))
		wrong = "-ERR syntax error";
	else if (number == 0)
		wrong = "-ERR messages are counted from 1";
	else if (number > pop3d.mailbox.count)
		wrong = "-ERR not that many messages";
	else if (pop3d.mailbox.messages[number - 1].is_deleted)
		wrong = "-ERR already deleted";
	if (wrong != NULL) {
		reply(wrong);
		return 0;
	}
	*index = (size_t)number - 1;
	return 1;
}

static void
do_stat(void)
{
	uint64_t octets;
	size_t count = mailbox_total(&pop3d.mailbox, &octets);

	out_cstr(&pop3d.out, "+OK ");
	out_u64(&pop3d.out, count);
	out_cstr(&pop3d.out, " ");
	out_u64(&pop3d.out, octets);
	reply("");
}

/* "number value" of one message. */
static void
write_entry(size_t index, bool is_uidl)
{
	out_u64(&pop3d.out, index + 1);
	out_cstr(&pop3d.out, " ");
	if (is_uidl) {
		struct span uid = mailbox_uid(&pop3d.mailbox, index);

		/* a file name may hold any byte; a reply may not */
		for (size_t i = 0; i < uid.len; i++)
			out_write(&pop3d.out,
			    uid.s[i] > ' ' && uid.s[i] <= '~' ? uid.s + i : "_",
			    1);
	} else {
		out_u64(&pop3d.out, mailbox_octets(&pop3d.mailbox, index));
	}
	reply("");
}

static void
do_list(struct span argument, bool is_uidl)
{
	size_t index;

	if (argument.len > 0) {
		if (read_index(&argument, &index)) {
			out_cstr(&pop3d.out, "+OK ");
			write_entry(index, is_uidl);
		}
		return;
	}
	reply("+OK ");
	for (size_t i = 0; i < pop3d.mailbox.count; i++) {
		if (!pop3d.mailbox.messages[i].is_deleted)
			write_entry(i, is_uidl);
	}
	reply(".");
}

static void
do_dele(struct span argument)
{
	size_t index;

	if (!read_index(&argument, &index))
		return;
	pop3d.mailbox.messages[index].is_deleted = true;
	if (index + 1 > pop3d.last)
		pop3d.last = index + 1;
	reply("+OK ");
}

static void
do_rset(void)
{
	for (size_t i = 0; i < pop3d.mailbox.count; i++)
		pop3d.mailbox.messages[i].is_deleted = false;
	pop3d.last = 0;
	reply("+OK ");
}

/* RETR and TOP: without a second number, all of the message. */
static void
do_retr(struct span argument)
{
	uint64_t lines;
	size_t index;
	int fd;

	if (!read_index(&argument, &index))
		return;
	if (!pop3_command_number(&argument, &lines))
		lines = POP3_TEXT_ALL;
	fd = mailbox_open(&pop3d.mailbox, index);
	if (fd == -1) {
		reply("-ERR unable to open that message");
		return;
	}
	reply("+OK ");
	if (pop3_text_send(&pop3d.out, fd, lines) == -1) {
		/* a final dot would tell the client that this was all, and it
		   would delete the message */
		warn_sys("cannot read a message");
		leave("trouble");
	}
	fd_close(fd);
	pop3d.retrieved += lines == POP3_TEXT_ALL && pop3d.out.error == 0;
}

static NORETURN void
do_quit(void)
{
	size_t failed;

	pop3d.deleted = mailbox_deleted(&pop3d.mailbox);
	failed = mailbox_commit(&pop3d.mailbox);
	pop3d.deleted -= failed;
	while (failed-- > 0)
		reply("-ERR unable to unlink all deleted messages");
	reply("+OK ");
	leave("quit");
}

static void
do_line(struct span line)
{
	struct span argument;

	switch (pop3_command_parse(line, &argument)) {
	case POP3_STAT:
		do_stat();
		break;
	case POP3_LIST:
		do_list(argument, false);
		break;
	case POP3_UIDL:
		do_list(argument, true);
		break;
	case POP3_DELE:
		do_dele(argument);
		break;
	case POP3_RETR:
	case POP3_TOP:
		do_retr(argument);
		break;
	case POP3_RSET:
		do_rset();
		break;
	case POP3_LAST:
		out_cstr(&pop3d.out, "+OK ");
		out_u64(&pop3d.out, pop3d.last);
		reply("");
		break;
	case POP3_NOOP:
		reply("+OK ");
		break;
	case POP3_CAPA:
		reply("+OK \r\n" POP3_CAPABILITIES ".");
		break;
	case POP3_QUIT:
		do_quit();
	default:
		reply("-ERR unimplemented");
		break;
	}
}

static NORETURN void
serve(void)
{
	unsigned long_lines = 0;

	for (;;) {
		int got = in_line(&pop3d.in, &pop3d.line, POP3_LINE_MAX);
		bool is_long = false;

		while (got == IN_TOO_LONG && ++long_lines <= LONG_LINES_MAX) {
			is_long = true;
			got = in_line(&pop3d.in, &pop3d.line, POP3_LINE_MAX);
		}
		/* a line that the end of the connection cut is no command */
		if (got != 1 || pop3d.line.s[pop3d.line.len - 1] != '\n')
			leave(pop3d.in.error == ETIMEDOUT ? "timeout" : "lost");
		if (is_long)
			reply("-ERR line too long");
		else
			do_line(str_span(&pop3d.line));
	}
}

int
main(int argc, char **argv)
{
	die_init("qmail-pop3d");
	if (fd_guard_standard() == -1 || sig_ignore(SIGPIPE) == -1)
		return 1;
	if (getuid() == 0 || geteuid() == 0) {
		warn_plain("I do not serve root: run me as the mailbox owner");
		return 1;
	}
	(void)alarm(SESSION_MAX_S); /* the end of the process changes nothing */
	out_init(
	    &pop3d.out, 1, IDLE_MAX_S, pop3d.out_buf, sizeof(pop3d.out_buf));
	in_init(&pop3d.in, 0, IDLE_MAX_S, pop3d.in_buf, sizeof(pop3d.in_buf));
	pop3d.in.tied = &pop3d.out;
	if (argc != 2 || mailbox_enter(argv[1]) == -1) {
		reply("-ERR this user has no $HOME/Maildir");
		leave("no-maildir");
	}
	mailbox_clean_tmp(clock_now());
	if (mailbox_scan(&pop3d.mailbox) == -1) {
		warn_sys("cannot list the messages of %s", quote(argv[1]));
		reply("-ERR unable to scan $HOME/Maildir");
		leave("trouble");
	}
	reply("+OK ");
	serve();
}
