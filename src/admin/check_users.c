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
#include "base/num.h"
#include "conf/control.h"
#include "conf/users.h"

#define ASSIGN "users/assign"
#define CDB "users/cdb"

enum {
	FIELDS = 7,          /* of a line, each with its colon */
	HOME_STICKY = 01000, /* S_ISVTX, which is not in plain POSIX */
	PATERNALISM = 002,   /* qmail-local: bits that no home may have */
};

struct rule {
	struct span name; /* with = or + */
	struct str data;  /* the record's, fields with NUL between */
	struct users_entry entry;
};

/* ---- homes --------------------------------------------------------------- */

static void
judge_dotqmail(struct check_report *report, const char *path, uid_t uid)
{
	static const struct check_advice writable = {
	    "mail is deferred: anybody could redirect it", "chmod o-w it"};
	static const struct check_advice foreign = {
	    "mail is deferred: the user cannot read his own file",
	    "chown it to the user, or chmod a+r it"};
	struct stat st;

	if (stat(path, &st) == -1) {
		if (errno != ENOENT) /* a link to nowhere is no file */
			check_report_trouble(report, path, errno);
		return;
	}
	if (!S_ISREG(st.st_mode))
		return; /* qmail-local passes it over */
	if (st.st_mode & PATERNALISM)
		check_report_add(report, writable, path, 0,
		    "mode %04o: everybody may write it",
		    (unsigned)st.st_mode & 07777);
	if (st.st_uid == uid ? !(st.st_mode & S_IRUSR)
			     : !(st.st_mode & (S_IRGRP | S_IROTH)))
		check_report_add(report, foreign, path, 0,
		    "uid %lu may not read it (owner %lu, mode %04o)",
		    (unsigned long)uid, (unsigned long)st.st_uid,
		    (unsigned)st.st_mode & 07777);
}

/* *has becomes true if there is a .qmail with something in it. */
static void
check_dotqmails(
    struct check_report *report, const char *home, uid_t uid, bool *has)
{
	DIR *dir = opendir(home);
	const struct dirent *entry;
	struct str path = STR_INIT;
	struct stat st;

	*has = false;
	if (dir == NULL) {
		check_report_trouble(report, home, errno);
		*has = true; /* in doubt */
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".qmail") != 0 &&
		    strncmp(entry->d_name, ".qmail-", strlen(".qmail-")) != 0)
			continue;
		str_format(&path, "%s/%s", home, entry->d_name);
		judge_dotqmail(report, path.s, uid);
		if (entry->d_name[strlen(".qmail")] == '\0' &&
		    stat(path.s, &st) == 0 && st.st_size > 0)
			*has = true;
	}
	(void)closedir(dir); /* only read */
	str_free(&path);
}

/* The Maildir that control/defaultdelivery names; each of its directories has
   to be there and the user's. */
static void
check_maildir(struct check_report *report, const char *home, uid_t uid)
{
	static const char *const parts[] = {"", "tmp", "new", "cur"};
	static const struct check_advice missing = {
	    "mail is deferred until it is there",
	    "as the user: maildirmake the Maildir"};
	static const struct check_advice foreign = {
	    "mail is deferred: the user may not write there",
	    "chown -R it to the user"};
	struct str line = STR_INIT, path = STR_INIT;
	struct stat st;

	if (control_line("control/defaultdelivery", &line) != 1 ||
	    line.len < 2 || line.s[line.len - 1] != '/' ||
	    (line.s[0] != '.' && line.s[0] != '/'))
		goto end; /* an mbox, or a program */
	for (size_t i = 0; i < COUNT(parts); i++) {
		if (line.s[0] == '/')
			str_format(&path, "%s%s", line.s, parts[i]);
		else
			str_format(&path, "%s/%s%s", home,
			    strncmp(line.s, "./", 2) == 0 ? line.s + 2 : line.s,
			    parts[i]);
		if (stat(path.s, &st) == -1) {
			if (errno != ENOENT) {
				check_report_trouble(report, path.s, errno);
				break;
			}
			check_report_add(
			    report, missing, path.s, 0, "it is missing");
			break;
		}
		if (st.st_uid != uid || (st.st_mode & S_IRWXU) != S_IRWXU)
			check_report_add(report, foreign, path.s, 0,
			    "owner %lu, mode %04o; the user is uid %lu",
			    (unsigned long)st.st_uid,
			    (unsigned)st.st_mode & 07777, (unsigned long)uid);
	}
end:
	str_free(&line);
	str_free(&path);
}

static void
check_home(
    struct check_report *report, const char *home, uid_t uid, bool has_mailbox)
{
	static const struct check_advice missing = {
	    "mail for its user is deferred", "make it, or correct the entry"};
	static const struct check_advice writable = {
	    "mail is deferred: anybody could redirect it", "chmod o-w it"};
	static const struct check_advice sticky = {
	    "mail is deferred: that is how an owner asks for it",
	    "chmod -t it, when he is done with his .qmail files"};
	bool has_dotqmail;
	struct stat st;

	if (stat(home, &st) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			check_report_add(
			    report, missing, home, 0, "it is missing");
		else
			check_report_trouble(report, home, errno);
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		check_report_add(
		    report, missing, home, 0, "it is not a directory");
		return;
	}
	if (st.st_mode & PATERNALISM)
		check_report_add(report, writable, home, 0,
		    "mode %04o: everybody may write there",
		    (unsigned)st.st_mode & 07777);
	if (st.st_mode & HOME_STICKY)
		check_report_add(report, sticky, home, 0,
		    "mode %04o: it is sticky", (unsigned)st.st_mode & 07777);
	check_dotqmails(report, home, uid, &has_dotqmail);
	if (has_mailbox && !has_dotqmail)
		check_maildir(report, home, uid);
}

/* ---- users/assign -------------------------------------------------------- */

static int
parse_rule(struct span line, struct rule *rule)
{
	size_t end = span_find(line, ':');

	if (end == SPAN_NONE || end == 0)
		return -1;
	rule->name = span_until(line, end);
	str_clear(&rule->data);
	for (size_t i = 1; i < FIELDS; i++) {
		line = span_from(line, end + 1);
		end = span_find(line, ':');
		if (end == SPAN_NONE)
			return -1;
		if (i > 1)
			str_append_char(&rule->data, '\0');
		str_append_span(&rule->data, span_until(line, end));
	}
	return 0;
}

static void
judge_rule(struct check_report *report, size_t number, struct rule *rule)
{
	static const struct check_advice number_advice = {
	    "mail for its user is deferred", "write uid and gid in digits"};
	static const struct check_advice root = {
	    "mail is deferred: nothing is delivered as root",
	    "give the mail to another user, or to alias/.qmail-root"};
	static const struct check_advice relative = {
	    "mail for its user is deferred", "write an absolute path"};
	struct str home = STR_INIT;

	if (users_parse_entry(str_span(&rule->data), &rule->entry) == -1) {
		check_report_add(report, number_advice, ASSIGN, number,
		    "uid or gid is not a number");
		return;
	}
	if (rule->entry.uid == 0)
		check_report_add(
		    report, root, ASSIGN, number, "the uid is that of root");
	str_append_span(&home, rule->entry.homedir);
	if (home.s[0] != '/')
		check_report_add(report, relative, ASSIGN, number,
		    "%s is not an absolute path", quote(home.s));
	else if (rule->entry.dash.len == 0)
		check_home(report, home.s, rule->entry.uid, true);
	str_free(&home);
}

/* The record of a rule in the database, as bytes of *key. */
static void
make_key(struct str *key, struct span name)
{
	str_clear(key);
	str_append_char(key, '!');
	for (size_t i = 1; i < name.len; i++)
		str_append_char(key, span_lower(name.s[i]));
	if (name.s[0] != '+')
		str_append_char(key, '\0');
}

/* Is there an equal name in the lines before? Then that one counts. */
static bool
is_repeated(struct span before, struct span name)
{
	struct check_lines lines = {.rest = before};
	struct span line;
	size_t colon;

	while (check_lines_next(&lines, &line)) {
		colon = span_find(line, ':');
		if (colon != SPAN_NONE &&
		    span_equal_nocase(span_until(line, colon), name))
			return true;
	}
	return false;
}

/* False, after a finding, if the database has something else. */
static bool
judge_record(struct check_report *report, const struct cdb *cdb,
    struct span before, size_t number, const struct rule *rule)
{
	static const struct check_advice advice = {
	    "mail goes by what users/assign said once, not by this line",
	    "qmail-newu"};
	struct str key = STR_INIT, data = STR_INIT;
	int found;

	make_key(&key, rule->name);
	found = cdb_find(cdb, str_span(&key), &data);
	if (found == 1 && data.len == rule->data.len + 1 &&
	    data.s[data.len - 1] == '\0')
		str_truncate(&data, data.len - 1); /* as good */
	if (found == -1)
		check_report_add(report, advice, CDB, 0, "it is damaged");
	else if (found == 0 ||
	    (!span_equal(str_span(&data), str_span(&rule->data)) &&
		!is_repeated(before, rule->name)))
		check_report_add(report, advice, ASSIGN, number,
		    "%s is not so in users/cdb", quote_span(rule->name));
	else
		found = 2;
	str_free(&key);
	str_free(&data);
	return found == 2;
}

/* cdb: NULL if there is none that could be compared. */
static void
walk_assign(struct check_report *report, struct span text,
    const struct cdb *cdb, uint64_t record_count)
{
	static const struct check_advice bad = {
	    "qmail-newu refuses the file, and users/cdb stays as it was",
	    "=local:user:uid:gid:home:dash:ext: and + for starts"};
	static const struct check_advice end = {
	    "qmail-newu refuses the file: it may be cut off",
	    "end it with a line of one dot"};
	static const struct check_advice more = {
	    "rules that are gone still get mail", "qmail-newu"};
	struct rule rule = {.data = STR_INIT};
	struct span rest = text;

	for (size_t number = 1; rest.len > 0 && rest.s[0] != '.'; number++) {
		size_t lf = span_find(rest, '\n');
		struct span before = span_until(text, text.len - rest.len);
		struct span line =
		    lf == SPAN_NONE ? rest : span_until(rest, lf);

		if (line.len > 0 && line.s[line.len - 1] == '\r')
			check_report_add(report, bad, ASSIGN, number,
			    "the line ends with a CR");
		if (parse_rule(line, &rule) == -1) {
			check_report_add(report, bad, ASSIGN, number,
			    "the line has fewer than %d colons", FIELDS);
			cdb = NULL;
		} else {
			judge_rule(report, number, &rule);
			if (cdb != NULL &&
			    !judge_record(report, cdb, before, number, &rule))
				cdb = NULL; /* one is enough */
		}
		record_count -= record_count > 0;
		rest = span_from(rest, lf == SPAN_NONE ? rest.len : lf + 1);
	}
	if (rest.len == 0)
		check_report_add(
		    report, end, ASSIGN, 0, "the line with a dot is missing");
	else if (cdb != NULL && record_count != 1)
		check_report_add(report, more, CDB, 0,
		    "it has other rules than users/assign");
	str_free(&rule.data);
}

static void
check_assign(struct check_report *report)
{
	static const struct check_advice missing = {
	    "users/assign has no effect", "qmail-newu"};
	static const struct check_advice alone = {
	    "nobody can tell what it was made from, and it is obeyed",
	    "write users/assign again, or remove users/cdb"};
	static const struct check_advice old = {
	    "changes of users/assign may have no effect yet", "qmail-newu"};
	static const struct check_advice damaged = {
	    "all local mail is deferred", "qmail-newu"};
	struct str assign = STR_INIT, made = STR_INIT;
	struct stat assign_st, made_st;
	struct cdb cdb;
	bool has_cdb = false;
	int has_assign = check_file_read(ASSIGN, &assign, &assign_st);
	int has_made = check_file_read(CDB, &made, &made_st);
	int fd = open(CDB, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (has_assign == -1)
		check_report_trouble(report, ASSIGN, errno);
	if (has_made == -1 || (has_made == 1 && fd == -1))
		check_report_trouble(report, CDB, errno);
	else if (has_made == 1 && cdb_open(&cdb, fd) == -1)
		check_report_add(report, damaged, CDB, 0, "it is damaged");
	else
		has_cdb = has_made == 1;
	if (has_assign == 1 && has_made == 0)
		check_report_add(report, missing, CDB, 0, "it is missing");
	else if (has_assign == 0 && has_made == 1)
		check_report_add(report, alone, CDB, 0,
		    "its source, users/assign, is missing");
	else if (has_assign == 1 && has_made == 1 &&
	    check_is_newer(&assign_st, &made_st))
		check_report_add(
		    report, old, CDB, 0, "it is older than users/assign");
	if (has_assign == 1)
		walk_assign(report, str_span(&assign), has_cdb ? &cdb : NULL,
		    check_cdb_count(str_span(&made)));
	fd_close(fd);
	str_free(&assign);
	str_free(&made);
}

void
check_users(struct check_report *report)
{
	struct stat st;

	check_assign(report);
	/* Whose alias/ should be is check_privileges's business. */
	if (stat("alias", &st) == 0)
		check_home(report, "alias", st.st_uid, false);
}

int
check_user(struct check_report *report, const char *name)
{
	struct str data = STR_INIT, home = STR_INIT;
	struct users_entry entry;
	const struct passwd *account;
	int result = 0;

	if (users_find(CDB, span_of(name), &data) == 1 &&
	    users_parse_entry(str_span(&data), &entry) == 0 &&
	    entry.dash.len == 0) {
		str_append_span(&home, entry.homedir);
		check_home(report, home.s, entry.uid, true);
	} else if ((account = getpwnam(name)) != NULL) {
		str_append_cstr(&home, account->pw_dir);
		check_home(report, home.s, account->pw_uid, true);
	} else {
		result = -1;
	}
	str_free(&data);
	str_free(&home);
	return result;
}
