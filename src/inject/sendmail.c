/*
 * sendmail - the command line of sendmail, as a way into qmail-inject
 * Also as: mailq (the same as -bp), newaliases (refused)
 * Runs as: the invoking user    Trusts: arguments, environment
 * Reads:   nothing              Writes: nothing; it becomes bin/qmail-inject,
 *          bin/qmail-smtpd (-bs) or bin/qmail-qread (-bp) of the home
 * Exit:    0 a queue run (-q) was asked for; 100 wrong usage; 111 if that
 * cannot be run; else what it exits with
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/str.h"
#include "conf/control.h"

static const char usage[] = "sendmail [-t] [-f sender] [-F name] [-bm|-bp|-bs] "
			    "[-i] [-v] [recip ...]";

static struct {
	const char *sender, *name;
	bool from_header; /* -t */
	bool run_queue;   /* -q */
	char mode;        /* the letter of -b */
} sendmail = {.mode = 'm'};

static void
set_variable(const char *name, const char *value)
{
	if (setenv(name, value, 1) == -1)
		die_sys("unable to set %s", name);
}

/* Becomes the program of the home's bin; the caller's directory stays, since
   relative names in the environment count from there. */
static NORETURN void
become(const char *program, char **args)
{
	struct str path = STR_INIT;

	str_format(&path, "%s/bin/%s", control_home_path(), program);
	execv(path.s, args);
	die_sys("unable to run %s", quote(path.s));
}

static NORETURN void
become_alone(const char *program)
{
	char *args[2] = {NULL, NULL};
	struct str name = STR_INIT;

	str_append_cstr(&name, program);
	args[0] = name.s; /* execv wants it writable */
	become(program, args);
}

/* -bs: a session on the caller's own descriptors, allowed to relay, since who
   can run this can run qmail-inject too. */
static NORETURN void
serve_smtp(void)
{
	static const char *const values[][2] = {
	    {"RELAYCLIENT", ""},
	    {"DATABYTES", "0"},
	    {"PROTO", "TCP"},
	    {"TCPLOCALIP", "127.0.0.1"},
	    {"TCPLOCALHOST", "localhost"},
	    {"TCPREMOTEIP", "127.0.0.1"},
	    {"TCPREMOTEHOST", "localhost"},
	    {"TCPREMOTEINFO", "sendmail-bs"},
	};

	if (getenv("PROTO") == NULL) {
		for (size_t i = 0; i < COUNT(values); i++)
			set_variable(values[i][0], values[i][1]);
	}
	become_alone("qmail-smtpd");
}

/* The sender becomes the author too, and nobody's full name is put on it. */
static void
set_author(void)
{
	static const char *const others[] = {
	    "QMAILNAME", "MAILNAME", "NAME", "QMAILHOST", "MAILHOST"};
	struct span sender = span_of(sendmail.sender);
	size_t at = span_find_last(sender, '@');
	struct str user = STR_INIT;

	for (size_t i = 0; i < COUNT(others); i++) {
		if (unsetenv(others[i]) == -1)
			die_sys("unable to unset %s", others[i]);
	}
	if (strcmp(sendmail.sender, "<>") == 0)
		sender.len = 0;
	str_copy(&user, at == SPAN_NONE ? sender : span_until(sender, at));
	set_variable("QMAILUSER", user.s);
	if (at != SPAN_NONE)
		set_variable("QMAILHOST", sender.s + at + 1);
	str_free(&user);
}

static NORETURN void
inject(int count_recipients, char **recipients)
{
	static char name[] = "qmail-inject", args_only[] = "-a";
	static char header_too[] = "-H", from[] = "-f", end[] = "--";
	char **args = mem_alloc((size_t)count_recipients + 6, sizeof(*args));
	struct str sender = STR_INIT;
	size_t count = 0;

	if (sendmail.name != NULL)
		set_variable("MAILNAME", sendmail.name);
	args[count++] = name;
	args[count++] = sendmail.from_header ? header_too : args_only;
	if (sendmail.sender != NULL) {
		set_author();
		str_append_cstr(&sender, sendmail.sender);
		args[count++] = from;
		args[count++] = sender.s;
	}
	args[count++] = end;
	for (int i = 0; i < count_recipients; i++)
		args[count++] = recipients[i];
	become(name, args);
}

/* -b: what to be. Only m, s and p exist here. */
static void
set_mode(const char *letters)
{
	assert(letters != NULL); /* getopt gives -b its letters */
	switch (letters[0]) {
	case 'm':
	case 's':
	case 'p':
		sendmail.mode = letters[0];
		return;
	case 'd':
		die_perm("-bd: mail comes in through tcpserver and "
			 "qmail-smtpd; there is no such daemon here");
	case 'i':
		die_perm("-bi: there is no aliases database to rebuild; "
			 "see dot-qmail(5)");
	case 'v':
		die_perm("-bv: addresses are not verified before delivery");
	default:
		die_usage(usage);
	}
}

/* An option with its argument, which is NULL if it takes none. */
static void
set_option(char letter, const char *argument)
{
	switch (letter) {
	case 't':
		sendmail.from_header = true;
		break;
	case 'f':
	case 'r':
		sendmail.sender = argument;
		break;
	case 'F':
		sendmail.name = argument;
		break;
	case 'b':
		set_mode(argument);
		break;
	case 'q':
		sendmail.run_queue = true;
		break;
	default:
		break; /* known, and without a meaning here */
	}
}

/*
 * Parses like getopt, and knows options whose argument, if any, is the rest of
 * the word. Returns the index of the first word that is no option.
 */
static int
parse_options(int argc, char **argv)
{
	static const char alone[] = "vimtxGUn";
	static const char with_argument[] = "efrpoBFbNRVLOXh";
	static const char with_rest[] = "EJqA";
	int i;

	for (i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (word[0] != '-' || word[1] == '\0')
			break;
		if (strcmp(word, "--") == 0)
			return i + 1;
		for (word++; *word != '\0'; word++) {
			if (strchr(alone, *word) != NULL) {
				set_option(*word, NULL);
				continue;
			}
			if (strchr(with_rest, *word) != NULL) {
				set_option(*word, word + 1);
				break;
			}
			if (strchr(with_argument, *word) == NULL)
				die_usage(usage);
			if (word[1] != '\0')
				set_option(word[0], word + 1);
			else if (i + 1 < argc)
				set_option(word[0], argv[++i]);
			else
				die_usage(usage);
			break;
		}
	}
	return i;
}

int
main(int argc, char **argv)
{
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;
	int first;

	die_init("sendmail: fatal");
	if (argc < 1)
		die_usage(usage);
	name = name != NULL ? name + 1 : argv[0];
	if (fd_guard_standard() == -1)
		die_sys("unable to start");
	if (strcmp(name, "newaliases") == 0)
		die_perm("newaliases: there is no aliases database to "
			 "rebuild; see dot-qmail(5)");
	first = parse_options(argc, argv);
	if (strcmp(name, "mailq") == 0 || sendmail.mode == 'p')
		become_alone("qmail-qread");
	if (sendmail.mode == 's')
		serve_smtp();
	/* a queue run; qmail-send looks after the queue without being asked,
	   and what is on descriptor 0 is no message */
	if (sendmail.run_queue && first == argc && !sendmail.from_header)
		return EXIT_OK;
	inject(argc - first, argv + first);
}
