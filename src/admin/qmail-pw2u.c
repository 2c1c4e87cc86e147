/*
 * qmail-pw2u - make lines for users/assign from lines of /etc/passwd
 * Runs as: the caller, mostly root   Trusts: descriptor 0, the files below
 * Reads:   fd 0, users/include, users/exclude, users/mailnames,
 *          users/subusers, users/append; homes by stat only
 * Writes:  fd 1, once all is well
 * Exit:    0 done; 100 wrong usage; 111 failed, and nothing is written
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/assign_text.h"
#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sig.h"
#include "base/str.h"
#include "conf/control.h"
#include "config.h"

#define USAGE "qmail-pw2u [-/ohHuUC] [-c char]"

enum {
	PASSWD_MAX = 256 * 1024 * 1024, /* bytes of descriptor 0 */
};

static struct {
	enum {
		HOME_SKIP, /* -o: no home of one's own: no mail */
		HOME_STOP, /* -h: the same, but a missing one is trouble */
		HOME_TRUST /* -H */
	} check;
	bool allows_upper, has_alias;
	struct assign_style style;
	bool has_include;
	struct control_table include, exclude, mailnames, subusers;
	struct str passwd, output;
	/* those who get mail, borrowed from passwd, for subusers */
	struct assign_account *accounts;
	size_t count, room;
} program = {.style = {'-', "-"},
    .include = CONTROL_TABLE_INIT,
    .exclude = CONTROL_TABLE_INIT,
    .mailnames = CONTROL_TABLE_INIT,
    .subusers = CONTROL_TABLE_INIT,
    .passwd = STR_INIT,
    .output = STR_INIT};

static void
read_options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "/ohHuUCc:")) != -1) {
		switch (option) {
		case '/':
			program.style.dash = "-/";
			break;
		case 'o':
			program.check = HOME_SKIP;
			break;
		case 'h':
			program.check = HOME_STOP;
			break;
		case 'H':
			program.check = HOME_TRUST;
			break;
		case 'u':
			program.allows_upper = true;
			break;
		case 'U':
			program.allows_upper = false;
			break;
		case 'C':
			program.style.delimiter = '\0';
			break;
		case 'c':
			/* a colon would be one field too many */
			if (strlen(optarg) > 1 || *optarg == ':' ||
			    *optarg == '\n')
				die_usage(USAGE);
			program.style.delimiter = *optarg;
			break;
		default:
			die_usage(USAGE);
		}
	}
	if (optind != argc)
		die_usage(USAGE);
}

static int
check_read(int found, const char *path)
{
	if (found == -1)
		die_sys("cannot read %s", path);
	return found;
}

static void
load_files(void)
{
	program.has_include = check_read(
	    control_list("users/include", &program.include), "users/include");
	(void)check_read(
	    control_list("users/exclude", &program.exclude), "users/exclude");
	(void)check_read(control_map("users/mailnames", &program.mailnames),
	    "users/mailnames");
	(void)check_read(control_list("users/subusers", &program.subusers),
	    "users/subusers");
}

/* ---- who gets mail ------------------------------------------------------- */

static bool
has_upper(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (span_lower(name.s[i]) != name.s[i])
			return true;
	}
	return false;
}

/* True if the home is there and belongs to the account. */
static bool
has_home(const struct assign_account *account)
{
	struct str path = STR_INIT;
	struct stat st;
	bool has = false;

	if (program.check == HOME_TRUST)
		return true;
	str_append_span(&path, account->home);
	if (stat(path.s, &st) == 0) {
		has = st.st_uid == account->uid;
	} else {
		/* what cannot be looked at now is not absent */
		if ((errno != ENOENT && errno != ENOTDIR) ||
		    program.check == HOME_STOP)
			die_sys("cannot look at %s, the home of %s",
			    quote(path.s), quote_span(account->user));
	}
	str_free(&path);
	return has;
}

static bool
gets_mail(const struct assign_account *account)
{
	if (account->uid == 0)
		return false;
	if (program.has_include &&
	    !control_has(&program.include, account->user))
		return false;
	if (control_has(&program.exclude, account->user))
		return false;
	if (!program.allows_upper && has_upper(account->user))
		return false;
	return has_home(account);
}

/* ---- lines --------------------------------------------------------------- */

static void
remember(const struct assign_account *account)
{
	if (program.count == program.room) {
		program.room = program.room == 0 ? 64 : program.room * 2;
		program.accounts = mem_resize(
		    program.accounts, program.room, sizeof(*program.accounts));
	}
	program.accounts[program.count++] = *account;
}

static void
do_account(const struct assign_account *account)
{
	struct span names, none = {"", 0};

	if (!gets_mail(account))
		return;
	remember(account);
	if (span_is(account->user, CONFIG_USER_ALIAS)) {
		program.has_alias = true;
		assign_append_rest(&program.output, account, &program.style);
	}
	if (!control_find(&program.mailnames, account->user, &names)) {
		assign_append_name(&program.output, account->user, account,
		    none, &program.style);
		return;
	}
	while (names.len > 0) {
		struct span name = assign_take_field(&names);

		if (name.len > 0)
			assign_append_name(&program.output, name, account, none,
			    &program.style);
	}
}

static void
do_passwd(void)
{
	struct span rest = str_span(&program.passwd);

	while (rest.len > 0) {
		size_t end = span_find(rest, '\n');
		struct span line =
		    end == SPAN_NONE ? rest : span_until(rest, end);
		struct assign_account account;

		rest = span_from(rest, end == SPAN_NONE ? rest.len : end + 1);
		/* comments and the "+" lines of directories name nobody */
		if (assign_parse_account(line, &account) == 0)
			do_account(&account);
	}
}

/* sub:user:pre: */
static void
do_subuser(struct span line)
{
	struct span sub = assign_take_field(&line);
	struct span user = assign_take_field(&line);
	struct span pre = assign_take_field(&line);

	if (sub.len == 0)
		return;
	for (size_t i = 0; i < program.count; i++) {
		if (!span_equal(program.accounts[i].user, user))
			continue;
		assign_append_name(&program.output, sub, &program.accounts[i],
		    pre, &program.style);
		return;
	}
	warn_plain("users/subusers: %s is left out, since %s gets no mail",
	    quote_span(sub), quote_span(user));
}

static void
do_append(void)
{
	struct str text = STR_INIT;

	if (file_read("users/append", PASSWD_MAX, &text) == -1) {
		if (errno != ENOENT)
			die_sys("cannot read users/append");
		return;
	}
	str_append_span(&program.output, str_span(&text));
	if (text.len > 0 && text.s[text.len - 1] != '\n')
		str_append_char(&program.output, '\n');
	str_free(&text);
}

int
main(int argc, char **argv)
{
	die_init("qmail-pw2u");
	read_options(argc, argv);
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (sig_ignore(SIGPIPE) == -1)
		die_sys("cannot ignore SIGPIPE");
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	load_files();
	if (file_read_fd(0, PASSWD_MAX, &program.passwd) == -1)
		die_sys("cannot read descriptor 0");
	do_passwd();
	if (!program.has_alias)
		die_temp("there is no usable account " CONFIG_USER_ALIAS);
	for (size_t i = 0; i < program.subusers.entry_count; i++)
		do_subuser(program.subusers.lines[i]);
	do_append();
	str_append_cstr(&program.output, ".\n");
	if (fd_write_all(1, program.output.s, program.output.len) == -1)
		die_sys("cannot write descriptor 1");
	return EXIT_OK;
}
