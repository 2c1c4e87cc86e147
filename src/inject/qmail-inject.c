/*
 * qmail-inject - completes a message's header and hands it to the queue
 * Runs as: the invoking user    Trusts: arguments, environment, control/
 * Reads:   fd 0 (the message), control/, QMAILMFTFILE
 * Writes:  run/submit.sock or the fds of $QMAILQUEUE; fd 1 with -n
 * Exit:    0 queued (or printed); 100 wrong usage, header that cannot be
 *          parsed, or refused for good; 111 temporary, safe to run again
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/in.h"
#include "base/out.h"
#include "base/sandbox.h"
#include "base/sig.h"
#include "inject/inject_message.h"
#include "inject/inject_settings.h"
#include "mail/address.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "mail/rewrite.h"
#include "net/submit.h"

static const char usage[] = "qmail-inject [-nNaAhH] [-f sender] [recip ...]";

static struct {
	bool print;       /* -n: show the message, queue nothing */
	char recipients;  /* a, A, h or H: where they come from */
	const char *from; /* -f */
	struct in in;
	struct out out;
	struct submit submit;
	char in_buf[64 * 1024], out_buf[64 * 1024];
} inject = {.recipients = 'A', .submit.text = STR_INIT};

static const struct sandbox rights = {
    .may = SANDBOX_LOCAL, /* the queue */
};

static void
parse_options(int argc, char **argv)
{
	int option;

	opterr = 0;
	while ((option = getopt(argc, argv, "nNaAhHf:")) != -1) {
		switch (option) {
		case 'n':
			inject.print = true;
			break;
		case 'N':
			inject.print = false;
			break;
		case 'a':
		case 'A':
		case 'h':
		case 'H':
			inject.recipients = (char)option;
			break;
		case 'f':
			inject.from = optarg;
			break;
		default:
			die_usage(usage);
		}
	}
}

static NORETURN void
die_read(void)
{
	errno = inject.in.error;
	die_sys("unable to read message");
}

/*
 * Reads the header into *text. What was read of the body meanwhile is left in
 * *line. Returns true if the input goes on behind the header.
 */
static bool
read_header(struct str *text, struct str *line)
{
	for (;;) {
		int got = in_line(&inject.in, line, HEADER_SIZE_MAX);
		enum header_added added;

		if (got == IN_ERROR)
			die_read();
		if (got == IN_EOF)
			return false;
		if (got == IN_TOO_LONG &&
		    header_line_kind(str_span(line), text->len == 0) !=
			HEADER_LINE_BODY)
			die_perm("header too large");
		added = header_add_line(text, str_span(line));
		if (added == HEADER_LARGE)
			die_perm("header too large");
		if (added == HEADER_BODY)
			return true;
		str_clear(line);
		if (added == HEADER_END)
			return true;
	}
}

/* A field that cannot be parsed is shown as it is, for who typed it; only
   bytes that a terminal might obey are masked. */
static NORETURN void
die_unparsed(struct span field)
{
	struct str text = STR_INIT;

	str_append_format(
	    &text, "%s: unable to parse this line:\n", die_name());
	for (size_t i = 0; i < field.len; i++) {
		unsigned char byte = (unsigned char)field.s[i];
		bool mask =
		    byte == 127 || (byte < 32 && byte != '\n' && byte != '\t');

		str_append_char(&text, mask ? '?' : (char)byte);
	}
	/* if stderr is gone the exit code has to say it all */
	(void)!fd_write_all(2, text.s, text.len);
	_exit(EXIT_PERM);
}

static void
put(const char *bytes, size_t len)
{
	if (inject.print)
		out_write(&inject.out, bytes, len);
	else
		submit_write(&inject.submit, bytes, len);
}

/* Passes on what is left of the input; a last line without LF gets one. */
static void
copy_body(struct span begun)
{
	char last = '\n';
	int got;

	put("\n", 1);
	if (begun.len > 0) {
		put(begun.s, begun.len);
		last = begun.s[begun.len - 1];
	}
	while ((got = in_fill(&inject.in)) == 1) {
		struct span have = in_buffered(&inject.in);

		put(have.s, have.len);
		last = have.s[have.len - 1];
		in_skip(&inject.in, have.len);
	}
	if (got == -1) {
		if (!inject.print)
			submit_abort(&inject.submit);
		die_read();
	}
	if (last != '\n')
		put("\n", 1);
}

static void
find_sender(struct str *sender, const struct inject_message *message,
    const struct inject_settings *settings)
{
	/* "<>" is what some programs pass for the null sender */
	if (inject.from != NULL && strcmp(inject.from, "<>") != 0)
		rewrite_append_plain(
		    sender, &settings->rules, span_of(inject.from));
	else if (inject.from != NULL)
		str_clear(sender);
	else if (message->has_sender)
		str_copy(sender, str_span(&message->sender));
	else
		inject_settings_append_sender(sender, settings);
}

static void
find_recipients(struct address_list *recipients, char *const *args,
    const struct inject_message *message,
    const struct inject_settings *settings)
{
	const struct address_list *named = inject_message_recipients(message);
	bool use_args = inject.recipients != 'h';
	bool use_header = inject.recipients == 'h' ||
	    inject.recipients == 'H' ||
	    (inject.recipients == 'A' && *args == NULL);
	struct str address = STR_INIT;

	for (; use_args && *args != NULL; args++) {
		str_clear(&address);
		rewrite_append_plain(
		    &address, &settings->rules, span_of(*args));
		address_list_add(recipients, str_span(&address));
	}
	for (size_t i = 0; use_header && i < named->count; i++)
		address_list_add(recipients, address_list_get(named, i));
	str_free(&address);
}

/* NUL ends an address in the envelope: what follows it must not become a
   record of its own. */
static void
check_address(struct span address)
{
	if (span_find(address, '\0') != SPAN_NONE)
		die_perm(
		    "address contains a NUL byte: %s", quote_span(address));
}

static void
queue_envelope(struct span sender, const struct address_list *recipients)
{
	const struct str *text = &inject.submit.text;

	submit_from(&inject.submit, sender);
	for (size_t i = 0; i < recipients->count; i++)
		submit_to(&inject.submit, address_list_get(recipients, i));
	if (submit_finish(&inject.submit) == 0)
		return;
	/* a letter and words; submit made all of it fit to print */
	if (text->len > 0 && text->s[0] == 'D')
		die_perm("%s", text->s + 1);
	die_temp("%s", text->len > 0 ? text->s + 1 : "queue trouble");
}

int
main(int argc, char **argv)
{
	struct inject_settings settings;
	struct inject_message message = INJECT_MESSAGE_INIT;
	struct address_list recipients = ADDRESS_LIST_INIT;
	struct str header = STR_INIT, line = STR_INIT, sender = STR_INIT;
	struct str text = STR_INIT;
	struct span fault;
	bool has_body;

	die_init("qmail-inject: fatal");
	/* an inherited SIGCHLD that is ignored would hide how QMAILQUEUE ended:
	   the message queued, and its sender told to try again */
	if (fd_guard_standard() == -1 || sig_ignore(SIGPIPE) == -1 ||
	    sig_default(SIGCHLD) == -1)
		die_sys("unable to start");
	parse_options(argc, argv);
	inject_settings_load(&settings);
	tzset(); /* the file of the time zone is read */
	if (!submit_runs_program())
		sandbox_enter(&rights);
	in_init(&inject.in, 0, 0, inject.in_buf, sizeof(inject.in_buf));
	out_init(&inject.out, 1, 0, inject.out_buf, sizeof(inject.out_buf));

	has_body = read_header(&header, &line);
	if (inject_message_read(
		&message, &settings, str_span(&header), &fault) == -1)
		die_unparsed(fault);
	find_sender(&sender, &message, &settings);
	find_recipients(&recipients, argv + optind, &message, &settings);
	check_address(str_span(&sender));
	for (size_t i = 0; i < recipients.count; i++)
		check_address(address_list_get(&recipients, i));

	if (inject.print) {
		str_append_cstr(&text, "Return-Path: <");
		address_append_quoted(&text, str_span(&sender));
		str_append_cstr(&text, ">\n");
	} else {
		/* a failure sticks and is told at the end, when all input was
		   read: nobody who writes to us gets a broken pipe */
		(void)!submit_open(&inject.submit);
	}
	inject_message_append(&text, &message, &settings);
	put(text.s, text.len);
	if (has_body)
		copy_body(str_span(&line));
	if (!inject.print)
		queue_envelope(str_span(&sender), &recipients);
	else if (out_flush(&inject.out) == -1)
		die_sys("unable to write message");
	str_free(&inject.submit.text);
	inject_message_free(&message);
	inject_settings_free(&settings);
	address_list_free(&recipients);
	str_free(&header);
	str_free(&line);
	str_free(&sender);
	str_free(&text);
	return EXIT_OK;
}
