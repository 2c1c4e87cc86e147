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
#include <signal.h>
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
#include "pop3/pop3_text.h"

enum {
	IDLE_MAX_S = 1200,     /* for one read or write */
	SESSION_MAX_S = 86400, /* for all of it */
	LONG_LINES_MAX = 16,   /* of more than POP3_LINE_MAX bytes */
};

static struct {
	struct in in;
	struct out out;
	char in_buf[4096], out_buf[32768], file_buf[32768];
	struct str line;
	struct mailbox mailbox;
	size_t last; /* highest number deleted */
} pop3d = {.line = STR_INIT, .mailbox = MAILBOX_INIT};

static void
reply(const char *text)
{
	out_cstr(&pop3d.out, text);
	out_cstr(&pop3d.out, "\r\n");
}

static NORETURN void
leave(void)
{
	if (out_flush(&pop3d.out) == -1)
		_exit(0); /* the client is gone, there is nobody to tell */
	_exit(0);
}

/* Takes the number of a message off *argument and sets *index. 1, or 0 after
   an error reply. */
static int
read_index(struct span *argument, size_t *index)
{
	uint64_t number;

	if (!pop3_command_number(argument, &number)) {
		reply("-ERR syntax error");
		return 0;
	}
	if (number == 0) {
		reply("-ERR messages are counted from 1");
		return 0;
	}
	if (number > pop3d.mailbox.count) {
		reply("-ERR not that many messages");
		return 0;
	}
	*index = (size_t)number - 1;
	if (pop3d.mailbox.messages[*index].is_deleted) {
		reply("-ERR already deleted");
		return 0;
	}
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
	struct pop3_text text;
	uint64_t lines;
	size_t index;
	ssize_t got = 0;
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
	pop3_text_init(&text, lines);
	while (!text.is_done && pop3d.out.error == 0 &&
	    (got = read(fd, pop3d.file_buf, sizeof(pop3d.file_buf))) > 0)
		pop3_text_write(&text, &pop3d.out,
		    (struct span){pop3d.file_buf, (size_t)got});
	if (got == -1) {
		/* a final dot would tell the client that this was all, and it
		   would delete the message */
		warn_sys("cannot read a message");
		leave();
	}
	fd_close(fd);
	pop3_text_end(&text, &pop3d.out);
}

static NORETURN void
do_quit(void)
{
	size_t failed = mailbox_commit(&pop3d.mailbox);

	while (failed-- > 0)
		reply("-ERR unable to unlink all deleted messages");
	reply("+OK ");
	leave();
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
			leave();
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
	if (argc != 2 || chdir(argv[1]) == -1) {
		reply("-ERR this user has no $HOME/Maildir");
		leave();
	}
	mailbox_clean_tmp(clock_now());
	if (mailbox_scan(&pop3d.mailbox) == -1) {
		warn_sys("cannot list the messages of %s", quote(argv[1]));
		reply("-ERR unable to scan $HOME/Maildir");
		leave();
	}
	reply("+OK ");
	serve();
}
