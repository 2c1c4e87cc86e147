/*
 * qmail-check - finds what is wrong with an installation, and says what helps
 * Runs as: the caller; root becomes the owner of queue/ before it reads what
 *          strangers wrote
 * Trusts:  control/, users/
 * Reads:   control/, users/, alias/, queue/, the homes of users
 * Writes:  fd 1, run/control.sock; connects to run/submit.sock, without a word
 * Exit:    0 nothing found; 1 findings; 100 wrong usage; 111 something could
 *          not be looked at
 */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/check_parts.h"
#include "admin/check_report.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/out.h"
#include "base/sig.h"
#include "conf/control.h"
#include "config.h"

#define SYNOPSIS "qmail-check [-d] [-u user]"

enum {
	EXIT_FOUND = 1,
};

static struct {
	bool ask_dns;
	const char *user; /* the only one to look at, or NULL */
	struct check_site site;
	struct check_report report;
	size_t findings, troubles;
	struct out out;
	char out_buffer[4096];
} program = {.report = CHECK_REPORT_INIT};

static void
parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "du:")) != -1) {
		switch (option) {
		case 'd':
			program.ask_dns = true;
			break;
		case 'u':
			program.user = optarg;
			break;
		default:
			die_usage(SYNOPSIS);
		}
	}
	if (optind != argc)
		die_usage(SYNOPSIS);
}

/* In the home of anybody but the owner of conf-users, that one is all
   accounts. */
static void
find_site(void)
{
	const struct passwd *owner = getpwnam(CONFIG_USER_OWNER);
	struct stat st;

	if (stat(".", &st) == -1)
		die_sys("cannot look at %s", quote(control_home_path()));
	program.site.uid = st.st_uid;
	program.site.alone =
	    st.st_uid != 0 && (owner == NULL || st.st_uid != owner->pw_uid);
}

/* Says what one part has found, so that memory and patience are spared. */
static void
say(void)
{
	struct span rest = str_span(&program.report.troubles);

	program.findings += program.report.finding_count;
	program.troubles += program.report.trouble_count;
	out_span(&program.out, str_span(&program.report.findings));
	if (out_flush(&program.out) == -1)
		die_sys("cannot write");
	while (rest.len > 0) {
		size_t end = span_find(rest, '\n');

		warn_plain("%s", quote_span(span_until(rest, end)));
		rest = span_from(rest, end + 1);
	}
	check_report_free(&program.report);
}

int
main(int argc, char **argv)
{
	die_init("qmail-check");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	opterr = 0; /* the synopsis says it */
	parse_options(argc, argv);
	if (sig_ignore(SIGPIPE) == -1)
		die_sys("cannot ignore SIGPIPE");
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	out_init(
	    &program.out, 1, 0, program.out_buffer, sizeof(program.out_buffer));
	find_site();

	check_privileges(&program.report, &program.site);
	say();
	check_control(&program.report, &program.site);
	say();
	if (program.user == NULL)
		check_users(&program.report);
	else if (check_user(&program.report, program.user) == -1)
		die_perm("there is no user %s", quote(program.user));
	say();
	check_daemons(&program.report);
	say();
	/* From here on strangers' bytes are read. */
	check_queue(&program.report);
	if (program.ask_dns && geteuid() == 0)
		check_report_trouble(&program.report, "the DNS as root", EPERM);
	else if (program.ask_dns)
		check_dns(&program.report);
	say();
	if (program.troubles > 0)
		return EXIT_TEMP;
	return program.findings > 0 ? EXIT_FOUND : EXIT_OK;
}
