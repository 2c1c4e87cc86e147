#include "local/lspawn_delivery.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/privilege.h"
#include "conf/users.h"
#include "local/getpw.h"
#include "local/local_job.h"
#include "local/local_report.h"
#include "mail/netstring.h"
#include "net/child.h"
#include "net/run.h"

#define WORKER "bin/qmail-local"

/* A job that waits for qmail-getpw or for the end of QMAILLOCAL. */
struct delivery {
	struct lspawn *spawn;
	struct pool_job *job;
	struct span local, domain; /* borrowed from the job */
	struct getpw_query query;
	struct run run;
};

static void
report(struct delivery *d, char letter, struct span text)
{
	pool_report(&d->spawn->pool, d->job, 0, letter, text);
	free(d);
}

static void
report_text(struct delivery *d, char letter, const char *text)
{
	report(d, letter, span_of(text));
}

static void
report_code(struct delivery *d, int code)
{
	char letter = 'Z';

	report_text(d, letter, local_report_fixed(code, &letter));
}

/* ---- QMAILLOCAL ---------------------------------------------------------- */

static void
on_run_done(void *owner, int code)
{
	struct delivery *d = owner;
	struct report text = REPORT_INIT(REPORT_MAX);
	char letter =
	    local_report_output(code, str_span(&d->run.output), &text);

	if (d->run.timed_out)
		str_copy(&text.text,
		    SPAN_LITERAL("The delivery took too long. (#4.3.0)\n"));
	run_free(&d->run);
	report(d, letter, str_span(&text.text));
	str_free(&text.text);
}

/* Lets the process have the supplementary groups of the entry's user, whose
   name is put into *user, if that is wanted. */
static void
plan_groups(struct child_plan *plan, const struct lspawn *spawn,
    const struct users_entry *entry, struct str *user)
{
	if (!spawn->with_groups)
		return;
	str_copy(user, entry->user);
	plan->drop_user = privilege_drop_user;
	plan->user = user->s;
}

/* prog -- user homedir local dash ext domain sender defaultdelivery */
static void
run_program(struct delivery *d, const struct users_entry *entry)
{
	const struct span fields[] = {span_of(d->spawn->program),
	    SPAN_LITERAL("--"), entry->user, entry->homedir, d->local,
	    entry->dash, entry->ext, d->domain, d->job->job.sender,
	    span_of(d->spawn->default_delivery)};
	struct str copies[COUNT(fields)];
	char *argv[COUNT(fields) + 1] = {NULL};
	struct child_plan plan = {.path = d->spawn->program,
	    .search = true,
	    .argv = argv,
	    .fds = {d->job->message, 0, 0},
	    .drop = true,
	    .uid = entry->uid,
	    .gid = entry->gid,
	    .drop_failed = LOCAL_SYSTEM,
	    .exec_failed = LOCAL_EXEC};
	struct str user = STR_INIT;

	plan_groups(&plan, d->spawn, entry, &user);
	for (size_t i = 0; i < COUNT(fields); i++) {
		copies[i] = (struct str)STR_INIT;
		str_copy(&copies[i], fields[i]);
		str_append_char(&copies[i], '\0');
		argv[i] = copies[i].s;
	}
	d->run.done = on_run_done;
	d->run.owner = d;
	if (run_start(&d->run, &d->spawn->pool.loop, &plan, true,
		POOL_BUSY_S) == -1) {
		warn_sys("cannot start %s", quote(d->spawn->program));
		report_code(d, LOCAL_SYSTEM);
	}
	for (size_t i = 0; i < COUNT(fields); i++)
		str_free(&copies[i]);
	str_free(&user);
}

/* ---- workers ------------------------------------------------------------- */

pid_t
lspawn_start(void *owner, void *subject, int socket)
{
	const struct users_entry *entry = subject;
	char name[] = "qmail-local", option[] = "-w";
	char *argv[] = {name, option, NULL};
	struct child_plan plan = {.path = WORKER,
	    .argv = argv,
	    .fds = {socket, CHILD_KEEP, CHILD_KEEP},
	    .drop = true,
	    .uid = entry->uid,
	    .gid = entry->gid,
	    .drop_failed = LOCAL_SYSTEM,
	    .exec_failed = LOCAL_EXEC};
	struct str user = STR_INIT;
	pid_t pid;

	plan_groups(&plan, owner, entry, &user);
	pid = child_start(&plan);
	str_free(&user);
	return pid;
}

static void
assign(struct delivery *d, struct users_entry *entry)
{
	struct lspawn *spawn = d->spawn;
	struct pool_job *job = d->job;
	struct local_job local = {.number = job->job.number,
	    .user = entry->user,
	    .homedir = entry->homedir,
	    .local = d->local,
	    .dash = entry->dash,
	    .ext = entry->ext,
	    .domain = d->domain,
	    .sender = job->job.sender,
	    .default_delivery = span_of(spawn->default_delivery)};
	struct str key = STR_INIT, packet = STR_INIT;

	str_format(
	    &key, "%ju:%ju", (uintmax_t)entry->uid, (uintmax_t)entry->gid);
	/* then two users of one uid may differ in their groups */
	if (spawn->with_groups) {
		str_append_char(&key, ':');
		str_append_span(&key, entry->user);
	}
	local_job_encode(&packet, &local);
	free(d); /* the pool sees to the job from here on */
	pool_assign(
	    &spawn->pool, job, str_span(&key), str_span(&packet), entry);
	str_free(&key);
	str_free(&packet);
}

/* data: an entry, from users/cdb or qmail-getpw; bad: the code for one that
   makes no sense. */
static void
deliver_to(struct delivery *d, struct span data, int bad)
{
	struct users_entry entry;

	if (users_parse_entry(data, &entry) == -1) {
		report_code(d, bad);
		return;
	}
	if (entry.uid == 0) {
		report_code(d, LOCAL_ROOT);
		return;
	}
	if (!d->spawn->is_root) {
		if (entry.uid != geteuid()) {
			report_text(d, 'Z',
			    "qmail-lspawn does not run as root and cannot "
			    "deliver to another account. (#4.3.5)\n");
			return;
		}
		entry.gid = getegid(); /* an account alone has but one */
	}
	if (d->spawn->program != NULL)
		run_program(d, &entry);
	else
		assign(d, &entry);
}

/* ---- who is it ----------------------------------------------------------- */

/*
 * True if entry is one of the accounts that carry the mail, or may read the
 * queue. users/cdb is the administrator's word; but qmail-getpw looks at what
 * strangers wrote, and never has a reason to name these.
 */
static bool
is_of_the_system(
    const struct accounts *accounts, const struct users_entry *entry)
{
	const uid_t ours[] = {accounts->qmaild, accounts->qmaill,
	    accounts->qmailp, accounts->qmailq, accounts->qmailr,
	    accounts->qmails};

	for (size_t i = 0; i < COUNT(ours); i++) {
		if (entry->uid == ours[i])
			return true;
	}
	return entry->gid == accounts->qmail && entry->uid != accounts->alias;
}

static void
on_getpw(void *owner, int code, struct span data)
{
	struct delivery *d = owner;
	struct users_entry entry;
	const char *text;
	char letter = 'Z';

	if (code == 0 && d->spawn->is_root &&
	    users_parse_entry(data, &entry) == 0 &&
	    is_of_the_system(&d->spawn->accounts, &entry)) {
		warn_plain(
		    "qmail-getpw names an account of the mail system for %s",
		    quote_span(d->local));
		report_code(d, LOCAL_SYSTEM);
		return;
	}
	if (code == 0) {
		deliver_to(d, data, LOCAL_SYSTEM);
		return;
	}
	text = local_report_getpw(code, &letter);
	report_text(d, letter, text);
}

static void
find_user(struct delivery *d)
{
	struct str data = STR_INIT;
	int found = users_find("users/cdb", d->local, &data);

	if (found == 1) {
		deliver_to(d, str_span(&data), LOCAL_CDB);
	} else if (found == 0) {
		d->query.local = d->local;
		d->query.answered = on_getpw;
		d->query.owner = d;
		getpw_client_ask(&d->spawn->getpw, &d->query);
	} else {
		warn_sys(
		    "cannot look up %s in users/cdb", quote_span(d->local));
		report_code(d, LOCAL_CDB);
	}
	str_free(&data);
}

void
lspawn_take(void *owner, struct pool_job *job)
{
	struct delivery *d = mem_alloc(1, sizeof(*d));
	struct span rest = job->job.recipients, address;
	size_t at;

	d->spawn = owner;
	d->job = job;
	/* job_decode has taken it apart before, so it is there */
	if (netstring_take(&rest, &address) == -1)
		address = (struct span){"", 0};
	at = span_find_last(address, '@');
	if (at == SPAN_NONE || address.len > LSPAWN_ADDRESS_MAX ||
	    at > GETPW_LOCAL_MAX || span_find(address, '\0') != SPAN_NONE ||
	    span_find(job->job.sender, '\0') != SPAN_NONE) {
		report_text(d, 'D',
		    "Sorry, that is not an address that mail can be "
		    "delivered to. (#5.1.3)\n");
		return;
	}
	d->local = span_until(address, at);
	d->domain = span_from(address, at + 1);
	if (d->local.len == 0) /* the address that throws mail away */
		report_text(d, 'K', "");
	else
		find_user(d);
}
