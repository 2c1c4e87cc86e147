#include "local/delivery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/mem.h"
#include "local/delivery_env.h"
#include "local/dotqmail.h"
#include "local/forward_deliver.h"
#include "local/maildir_deliver.h"
#include "local/mbox_deliver.h"
#include "local/program_deliver.h"
#include "local/temporary.h"

extern char **environ;

enum {
	HOME_STICKY = 01000, /* S_ISVTX, which is not in plain POSIX */
};

struct delivery {
	const struct local_job *job;
	struct message *message;
	struct report *report;
	struct delivery_mode mode;

	struct str lines; /* From_, Return-Path and Delivered-To, in a row */
	struct span ufline, rpline, dtline; /* each of them, in lines */
	struct str safe_ext;
	struct dotqmail_file file;
	struct span instructions;
	struct str newsender;
	struct delivery_env env;

	bool forward_only;
	struct span *forwards;
	size_t forward_count, forward_room;
	unsigned long files, programs;
};

/* ---- checks before the first line ---- */

static int
enter_home(struct delivery *d)
{
	struct str home = STR_INIT;
	struct stat st;
	int result = EXIT_OK;

	str_append_span(&home, d->job->homedir);
	if (home.s[0] != '/') {
		result = report_temp(d->report,
		    "The home directory %s is not absolute. (#4.3.0)",
		    quote(home.s));
	} else if (chdir(home.s) == -1 || stat(".", &st) == -1) {
		result = report_temp(d->report,
		    "Unable to enter the home directory %s: %s. (#4.3.0)",
		    quote(home.s), strerror(errno));
	} else if (st.st_mode & DOTQMAIL_FORBIDDEN) {
		result = report_temp(d->report,
		    "The home directory is writable by everybody. (#4.7.0)");
	} else if (st.st_mode & HOME_STICKY) {
		/* the sign of an owner who is editing his .qmail files */
		if (d->mode.is_dry)
			report_line(d->report,
			    "Warning: the home directory is sticky.");
		else
			result = report_temp(d->report,
			    "The home directory is sticky: its owner wants"
			    " mail to wait. (#4.2.1)");
	}
	str_free(&home);
	return result;
}

static void
make_lines(struct delivery *d)
{
	const struct local_job *job = d->job;
	size_t rp, dt;

	delivery_append_ufline(&d->lines, job->sender, clock_now());
	rp = d->lines.len;
	delivery_append_rpline(&d->lines, job->sender);
	dt = d->lines.len;
	delivery_append_dtline(&d->lines, job->local, job->domain);
	d->ufline = span_until(str_span(&d->lines), rp);
	d->rpline = span_from(span_until(str_span(&d->lines), dt), rp);
	d->dtline = span_from(str_span(&d->lines), dt);
}

static int
check_loop(struct delivery *d)
{
	switch (message_has_header_line(d->message, d->dtline)) {
	case 0:
		return EXIT_OK;
	case 1:
		return report_perm(d->report,
		    "This message is in a loop: it was delivered to this"
		    " address before. (#5.4.6)");
	default:
		return report_temp(d->report,
		    "Unable to read the message: %s. (#4.3.0)",
		    strerror(errno));
	}
}

static int
find_instructions(struct delivery *d)
{
	int found =
	    dotqmail_find(d->job->dash, str_span(&d->safe_ext), &d->file);

	if (found == DOTQMAIL_ERROR)
		return report_temp(d->report, "Unable to read %s: %s. (#4.3.0)",
		    quote(d->file.name.s), strerror(errno));
	if (found == DOTQMAIL_WRITABLE)
		return report_temp(d->report,
		    "%s is writable by everybody. (#4.7.0)",
		    quote(d->file.name.s));
	if (found == DOTQMAIL_NONE && d->job->dash.len > 0)
		return report_perm(
		    d->report, "Sorry, no mailbox here by that name. (#5.1.1)");
	if (found == DOTQMAIL_NONE || d->file.text.len == 0) {
		d->instructions = d->job->default_delivery;
	} else {
		d->instructions = str_span(&d->file.text);
		d->forward_only = d->file.forward_only;
	}
	return EXIT_OK;
}

/* ---- the sender of forwards, and the environment ---- */

/* 1 if .qmail, dash, safe_ext and ending is there, of any type; 0; -1. */
static int
has_owner_file(const struct delivery *d, const char *ending)
{
	struct str name = STR_INIT;
	struct stat st;
	int result = 1;

	str_append_cstr(&name, ".qmail");
	str_append_span(&name, d->job->dash);
	str_append_span(&name, str_span(&d->safe_ext));
	str_append_cstr(&name, ending);
	if (stat(name.s, &st) == -1)
		result = temporary_error(errno) ? -1 : 0;
	str_free(&name);
	return result;
}

static int
make_newsender(struct delivery *d)
{
	struct span sender = d->job->sender;
	int has_owner = 0, has_verp = 0;

	if (sender.len > 0 && !span_is(sender, "#@[]"))
		has_owner = has_owner_file(d, "-owner");
	if (has_owner == 1)
		has_verp = has_owner_file(d, "-owner-default");
	if (has_owner == -1 || has_verp == -1)
		return report_temp(d->report,
		    "Unable to look for an owner file: %s. (#4.3.0)",
		    strerror(errno));
	if (has_owner == 0) {
		str_copy(&d->newsender, sender);
		return EXIT_OK;
	}
	str_copy(&d->newsender, d->job->local);
	str_append_cstr(&d->newsender, has_verp ? "-owner-@" : "-owner@");
	str_append_span(&d->newsender, d->job->domain);
	if (has_verp)
		str_append_cstr(&d->newsender, "-@[]");
	return EXIT_OK;
}

static int
prepare_env(struct delivery *d, char *const *inherited)
{
	struct delivery_facts facts = {.job = d->job,
	    .dtline = d->dtline,
	    .rpline = d->rpline,
	    .ufline = d->ufline,
	    .has_default = d->file.default_at != SPAN_NONE};
	int result = make_newsender(d);

	if (result != EXIT_OK)
		return result;
	facts.newsender = str_span(&d->newsender);
	if (facts.has_default)
		facts.default_part = span_from(d->job->ext, d->file.default_at);
	delivery_env_build(&d->env, &facts, inherited);
	environ = d->env.vars; /* for the queue's program too */
	return EXIT_OK;
}

/*
 * Looks at all lines before the first is obeyed: damage must show before a
 * delivery is done that the next attempt would repeat. *has_guests becomes
 * true if a program or a forward will want the environment.
 */
static int
check_lines(struct delivery *d, bool *has_guests)
{
	struct dotqmail_lines lines = {d->instructions, false};
	struct span text;

	*has_guests = false;
	for (;;) {
		switch (dotqmail_next_line(&lines, &text)) {
		case DOTQMAIL_END:
			return EXIT_OK;
		case DOTQMAIL_BLANK_FIRST:
			return report_temp(d->report,
			    "The first line of the delivery instructions is"
			    " blank. (#4.2.1)");
		case DOTQMAIL_NUL:
			return report_temp(d->report,
			    "The delivery instructions are damaged: a line"
			    " holds a NUL. (#4.2.1)");
		case DOTQMAIL_PROGRAM:
		case DOTQMAIL_FORWARD:
			*has_guests = true;
			break;
		default:
			break;
		}
	}
}

/* ---- the lines ---- */

static void
add_forward(struct delivery *d, struct span address)
{
	if (d->forward_count == d->forward_room) {
		d->forward_room = d->forward_room * 2 + 16;
		d->forwards = mem_resize(
		    d->forwards, d->forward_room, sizeof(d->forwards[0]));
	}
	d->forwards[d->forward_count++] = address;
}

static void
say_dry(struct delivery *d, const char *what, struct span text)
{
	report_add(d->report, span_of(what));
	report_add(d->report, text);
	report_add(d->report, SPAN_LITERAL("\n"));
}

static int
obey_file(struct delivery *d, enum dotqmail_kind kind, struct span text)
{
	bool is_maildir = kind == DOTQMAIL_MAILDIR;
	struct str path = STR_INIT;
	struct span head = str_span(&d->lines);
	int result;

	d->files++;
	if (d->mode.is_dry) {
		say_dry(d, is_maildir ? "maildir " : "mbox ", text);
		return EXIT_OK;
	}
	str_append_span(&path, text);
	if (is_maildir)
		result = maildir_deliver(path.s, span_from(head, d->ufline.len),
		    d->message, d->report);
	else
		result = mbox_deliver(path.s, head, d->message, d->report);
	str_free(&path);
	return result;
}

static int
obey_program(struct delivery *d, struct span text, bool *stop)
{
	struct str command = STR_INIT;
	struct program program = {.env = d->env.vars,
	    .is_collected = d->mode.is_collected,
	    .timeout_s = PROGRAM_TIME_MAX};
	enum program_verdict verdict;

	d->programs++;
	if (d->mode.is_dry) {
		say_dry(d, "program ", text);
		return EXIT_OK;
	}
	str_append_span(&command, text);
	program.command = command.s;
	verdict = program_deliver(&program, d->message, d->report);
	str_free(&command);
	*stop = verdict == PROGRAM_STOP;
	if (verdict == PROGRAM_PERM)
		return EXIT_PERM;
	return verdict == PROGRAM_TEMP ? EXIT_TEMP : EXIT_OK;
}

static int
obey_line(
    struct delivery *d, enum dotqmail_kind kind, struct span text, bool *stop)
{
	if (d->forward_only && kind != DOTQMAIL_FORWARD &&
	    kind != DOTQMAIL_LIST)
		return report_temp(d->report,
		    "The delivery instructions are marked as a list: they may"
		    " only forward. (#4.7.0)");
	switch (kind) {
	case DOTQMAIL_MAILDIR:
	case DOTQMAIL_MBOX:
		return obey_file(d, kind, text);
	case DOTQMAIL_PROGRAM:
		return obey_program(d, text, stop);
	case DOTQMAIL_FORWARD:
		add_forward(d, text);
		if (d->mode.is_dry)
			say_dry(d, "forward ", text);
		return EXIT_OK;
	default:
		d->forward_only = true;
		return EXIT_OK;
	}
}

static int
obey_lines(struct delivery *d)
{
	struct dotqmail_lines lines = {d->instructions, false};
	struct span text;
	bool stop = false;

	while (!stop) {
		enum dotqmail_kind kind = dotqmail_next_line(&lines, &text);
		int result;

		if (kind == DOTQMAIL_END)
			break;
		result = obey_line(d, kind, text, &stop);
		if (result != EXIT_OK)
			return result;
	}
	return EXIT_OK;
}

/* Only now, when nothing can fail any more: a forward cannot be taken back. */
static int
finish(struct delivery *d)
{
	struct forward forward = {.head = d->dtline,
	    .sender = str_span(&d->newsender),
	    .recipients = d->forwards,
	    .recipient_count = d->forward_count};
	bool will_forward = d->forward_count > 0 && !d->mode.is_dry;
	uint64_t qp = 0;

	if (will_forward) {
		int result =
		    forward_deliver(&forward, d->message, d->report, &qp);

		if (result != EXIT_OK)
			return result;
	}
	report_line(d->report, "did %lu+%lu+%lu", d->files,
	    (unsigned long)d->forward_count, d->programs);
	if (will_forward)
		report_line(d->report, "qp %llu", (unsigned long long)qp);
	return EXIT_OK;
}

static int
run_steps(struct delivery *d, char *const *inherited)
{
	bool has_guests;
	int result = enter_home(d);

	if (result != EXIT_OK)
		return result;
	make_lines(d);
	if (!d->mode.is_dry && (result = check_loop(d)) != EXIT_OK)
		return result;
	dotqmail_append_safe_ext(&d->safe_ext, d->job->ext);
	if ((result = find_instructions(d)) != EXIT_OK ||
	    (result = check_lines(d, &has_guests)) != EXIT_OK)
		return result;
	if (has_guests && !d->mode.is_dry &&
	    (result = prepare_env(d, inherited)) != EXIT_OK)
		return result;
	if ((result = obey_lines(d)) != EXIT_OK)
		return result;
	return finish(d);
}

int
delivery_run(const struct local_job *job, struct message *message,
    struct delivery_mode mode, struct report *report)
{
	char **inherited = environ;
	struct delivery d = {.job = job,
	    .message = message,
	    .report = report,
	    .mode = mode,
	    .lines = STR_INIT,
	    .safe_ext = STR_INIT,
	    .file = DOTQMAIL_FILE_INIT,
	    .newsender = STR_INIT,
	    .env = DELIVERY_ENV_INIT};
	int result = run_steps(&d, inherited);

	environ = inherited;
	str_free(&d.lines);
	str_free(&d.safe_ext);
	dotqmail_file_free(&d.file);
	str_free(&d.newsender);
	delivery_env_free(&d.env);
	free(d.forwards);
	return result;
}
