#include "admin/check_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "admin/check_text.h"
#include "base/cdb.h"
#include "base/die.h"
#include "base/fd.h"
#include "conf/control.h"
#include "conf/users.h"

#define VIRTUALS "control/virtualdomains"

enum {
	USER_NAME_MAX = 256, /* bytes of a name that is asked for */
};

static void
judge_mode(struct check_report *report, const struct check_site *site,
    const char *path, const struct stat *st)
{
	static const struct check_advice writable = {
	    "whoever may write it decides what happens to all mail",
	    "chmod go-w it"};
	static const struct check_advice unreadable = {
	    "programs under accounts of their own cannot read it, and fail",
	    "chmod a+r it"};

	if (st->st_mode & (site->alone ? 002 : 022))
		check_report_add(report, writable, path, 0,
		    "mode %04o lets others write",
		    (unsigned)st->st_mode & 07777);
	if (!site->alone && (st->st_mode & 0444) != 0444)
		check_report_add(report, unreadable, path, 0,
		    "mode %04o: not everybody may read it",
		    (unsigned)st->st_mode & 07777);
}

static void
check_files(struct check_report *report, const struct check_site *site)
{
	struct str path = STR_INIT, text = STR_INIT;
	struct stat st;

	for (size_t i = 0; i < check_text_count(); i++) {
		int found;

		str_format(&path, "control/%s", check_text_name(i));
		found = check_file_read(path.s, &text, &st);
		if (found == -1)
			check_report_trouble(report, path.s, errno);
		if (found != 1)
			continue;
		judge_mode(report, site, path.s, &st);
		check_text_judge(report, i, str_span(&text));
	}
	str_free(&path);
	str_free(&text);
}

static void
check_missing(struct check_report *report)
{
	static const struct check_advice me = {
	    "most programs do not run", "write this host's full name into it"};
	static const struct check_advice rcpthosts = {
	    "SMTP takes mail for locals and virtualdomains only",
	    "list the domains that strangers may send mail to"};

	if (access("control/me", F_OK) == -1 && errno == ENOENT)
		check_report_add(report, me, "control/me", 0, "it is missing");
	if (access("control/rcpthosts", F_OK) == -1 && errno == ENOENT)
		check_report_add(
		    report, rcpthosts, "control/rcpthosts", 0, "it is missing");
}

/* ---- virtualdomains ------------------------------------------------------ */

/* Does the directory have a .qmail file for local parts that start with user
   and a dash? */
static bool
has_rules(const char *home, struct span user)
{
	struct str name = STR_INIT;
	DIR *dir = opendir(home);
	const struct dirent *entry;
	bool has = dir == NULL; /* in doubt there is */

	str_append_cstr(&name, ".qmail-");
	for (size_t i = 0; i < user.len; i++)
		str_append_char(
		    &name, user.s[i] == '.' ? ':' : span_lower(user.s[i]));
	str_append_char(&name, '-');
	while (!has && dir != NULL && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);

		/* "a-default" serves the user "a-b" too */
		if (len >= strlen("-default") &&
		    strcmp(entry->d_name + len - strlen("-default"),
			"-default") == 0)
			has = strncmp(entry->d_name, name.s,
				  len - strlen("default")) == 0;
		has = has || strncmp(entry->d_name, name.s, name.len) == 0;
	}
	if (dir != NULL)
		(void)closedir(dir); /* only read */
	str_free(&name);
	return has;
}

/* As qmail-getpw: the name, or what is before one of its dashes, if the
   account is not root and its home is its own. */
static bool
is_account(struct span user)
{
	char name[USER_NAME_MAX + 1];
	struct stat home;

	for (size_t len = user.len; len > 0; len--) {
		const struct passwd *account;

		if (len > USER_NAME_MAX ||
		    (len < user.len && user.s[len] != '-'))
			continue;
		for (size_t i = 0; i < len; i++)
			name[i] = span_lower(user.s[i]);
		name[len] = '\0';
		errno = 0;
		account = getpwnam(name);
		if (account != NULL && account->pw_uid != 0 &&
		    stat(account->pw_dir, &home) == 0 &&
		    home.st_uid == account->pw_uid)
			return true;
		if (account == NULL && errno != 0 && errno != ENOENT)
			return true; /* in doubt */
	}
	return false;
}

/* Does anybody take the mail for the local part "user-anything"? */
static bool
is_known(struct span user)
{
	struct str local = STR_INIT, data = STR_INIT, home = STR_INIT;
	struct users_entry entry;
	bool known;
	int found;

	str_append_span(&local, user);
	str_append_cstr(&local, "-x");
	found = users_find("users/cdb", str_span(&local), &data);
	if (found == -1) {
		known = true; /* check_users speaks of it */
	} else if (found == 1 &&
	    users_parse_entry(str_span(&data), &entry) == 0) {
		/* A rule that has not used the name up leaves it to files. */
		str_append_span(&home, entry.homedir);
		known = entry.ext.len < local.len || has_rules(home.s, user);
	} else {
		known = is_account(user) || has_rules("alias", user);
	}
	str_free(&local);
	str_free(&data);
	str_free(&home);
	return known;
}

static void
judge_virtual(struct check_report *report, const struct control_table *locals,
    size_t number, struct span line)
{
	static const struct check_advice both = {
	    "locals wins: the line of virtualdomains has no effect",
	    "remove the domain from one of the two"};
	static const struct check_advice unknown = {
	    "mail for the domain is returned: there is no such mailbox",
	    "add the user, or alias/.qmail-USER-default; or correct the line"};
	size_t colon = span_find(line, ':'), at;
	struct span domain, user;

	if (colon == SPAN_NONE)
		return;
	domain = span_until(line, colon);
	user = span_from(line, colon + 1);
	at = span_find_last(domain, '@');
	if (at != SPAN_NONE)
		domain = span_from(domain, at + 1);
	if (domain.len > 0 && control_has(locals, domain))
		check_report_add(report, both, VIRTUALS, number,
		    "%s is in locals too", quote_span(domain));
	if (user.len > 0 && !is_known(user))
		check_report_add(report, unknown, VIRTUALS, number,
		    "nobody is known as %s", quote_span(user));
}

static void
check_virtuals(struct check_report *report)
{
	struct control_table locals = CONTROL_TABLE_INIT;
	struct str text = STR_INIT, me = STR_INIT;
	struct check_lines lines = {0};
	struct span line;
	struct stat st;
	int found = control_list("control/locals", &locals);

	if (found == 0 && control_line("control/me", &me) == 1)
		found = control_list_of(str_span(&me), &locals);
	if (found == -1 || check_file_read(VIRTUALS, &text, &st) != 1)
		goto end; /* check_files speaks of it */
	lines.rest = str_span(&text);
	while (check_lines_next(&lines, &line))
		judge_virtual(report, &locals, lines.number, line);
end:
	control_table_free(&locals);
	str_free(&text);
	str_free(&me);
}

void
check_control(struct check_report *report, const struct check_site *site)
{
	check_missing(report);
	check_files(report, site);
	check_compiled(report);
	check_rules(report);
	check_virtuals(report);
}
