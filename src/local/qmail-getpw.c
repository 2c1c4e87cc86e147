/*
 * qmail-getpw - says whose mail a local part is, by the passwd database
 * Runs as: qmailp:nofiles, kept running by qmail-lspawn; or anyone, by hand
 * Trusts:  the passwd database
 * Reads:   descriptor 0 (queries), homes by stat only    Writes: descriptor 1
 * Exit:    0 done; 100 wrong usage; 111 failed, safe to run again;
 *          115 a home could not be looked at; 116 no alias account;
 *          118 the database could not be asked
 */
#include <signal.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/in.h"
#include "base/sandbox.h"
#include "base/sig.h"
#include "base/str.h"
#include "conf/accounts.h"
#include "conf/control.h"
#include "config.h"
#include "local/getpw.h"
#include "mail/netstring.h"

/* Whatever the administrator's modules read and ask; but no file is written,
   no program run. */
static const struct sandbox rights = {
    .may = SANDBOX_NAMES,
    .read = {"/"},
};

static void
load_site(struct getpw_site *site)
{
	struct accounts accounts;
	const char *missing = accounts_load(&accounts);

	/* Whether the other accounts exist is no business of this program; the
	   alias account is looked up when it is needed. */
	*site = (struct getpw_site){.alone = missing == NULL && accounts.alone,
	    .me = geteuid(),
	    .my_group = getegid(),
	    .home = control_home_path(),
	    .alias = CONFIG_USER_ALIAS};
}

static int
answer_once(const struct getpw_site *site, const char *local)
{
	struct str entry = STR_INIT;
	int code = getpw_find(site, span_of(local), &entry);

	if (code != 0)
		return code;
	if (fd_write_all(1, entry.s, entry.len) == -1)
		die_sys("cannot write");
	str_free(&entry);
	return EXIT_OK;
}

static void
answer(const struct getpw_site *site, struct span local, struct str *answers)
{
	struct str entry = STR_INIT, payload = STR_INIT;
	int code = getpw_find(site, local, &entry);

	if (code == 0) {
		str_append_char(&payload, 'K');
		str_append_span(&payload, str_span(&entry));
	} else {
		str_append_char(&payload, 'E');
		str_append_u64(&payload, (uint64_t)code);
	}
	netstring_append(answers, local);
	netstring_append(answers, str_span(&payload));
	str_free(&payload);
	str_free(&entry);
}

/* Answers queries until descriptor 0 ends. */
static int
serve(const struct getpw_site *site)
{
	static char in_buf[2 * GETPW_LOCAL_MAX];
	struct str answers = STR_INIT;
	struct in in;

	in_init(&in, 0, 0, in_buf, sizeof(in_buf));
	in_time(&in);
	for (;;) {
		struct span have = in_buffered(&in), local;
		ssize_t used =
		    netstring_decode(have.s, have.len, GETPW_LOCAL_MAX, &local);

		if (used > 0) {
			answer(site, local, &answers);
			in_skip(&in, (size_t)used);
			continue;
		}
		if (used != NETSTRING_MORE)
			die_perm("descriptor 0: not a query");
		/* whoever asked waits for it, or has ended and so ends us */
		if (fd_write_all(1, answers.s, answers.len) == -1)
			die_sys("cannot answer");
		str_clear(&answers);
		if (in_more(&in) == 1)
			continue;
		if (in.error != 0 || in_buffered(&in).len > 0)
			die_temp("descriptor 0: the query is cut off");
		str_free(&answers);
		return EXIT_OK;
	}
}

int
main(int argc, char **argv)
{
	struct getpw_site site;

	die_init("qmail-getpw");
	if (argc > 2)
		die_usage("qmail-getpw [local]");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (sig_ignore(SIGPIPE) == -1)
		die_sys("cannot ignore SIGPIPE");
	load_site(&site);
	sandbox_enter(&rights);
	return argc == 2 ? answer_once(&site, argv[1]) : serve(&site);
}
