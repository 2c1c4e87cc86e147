#include "admin/check_parts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"

struct row {
	const char *path, *owner, *group;
	const char *target; /* of a link */
	mode_t mode;
	char type; /* as in etc/privileges */
};

static const struct row rows[] = {
#include "privileges.h"
};

#define AS_TABLE "make install in the source tree puts it right"

/* What comes of a wrong mode or owner. */
static struct check_advice
advice_of(const struct row *row)
{
	static const struct check_advice program = {
	    "it does not run as it should, or somebody may change it",
	    AS_TABLE};
	static const struct check_advice dir = {
	    "daemons cannot do their work there, or others can do too much",
	    AS_TABLE};
	static const struct check_advice file = {
	    "it cannot be used as it should", AS_TABLE};

	switch (row->type) {
	case 'p':
	case 'l':
		return program;
	case 'd':
		return dir;
	default:
		return file;
	}
}

static bool
has_type(const struct row *row, mode_t mode)
{
	if (row->type == 'd')
		return S_ISDIR(mode);
	return row->type == 'l' ? S_ISLNK(mode) : S_ISREG(mode);
}

static void
judge_owner(
    struct check_report *report, const struct row *row, const struct stat *st)
{
	static const struct check_advice nobody = {
	    "what belongs to it cannot be told from what does not",
	    "make users in the source tree"};
	const struct passwd *owner = getpwnam(row->owner);
	/* the group of root has many names; its number is 0 */
	bool is_zero = strcmp(row->group, "0") == 0;
	const struct group *group = is_zero ? NULL : getgrnam(row->group);

	if (owner == NULL)
		check_report_add(report, nobody, row->path, 0,
		    "its owner should be %s, which does not exist", row->owner);
	else if (st->st_uid != owner->pw_uid)
		check_report_add(report, advice_of(row), row->path, 0,
		    "its owner is uid %lu, not %s", (unsigned long)st->st_uid,
		    row->owner);
	if (!is_zero && group == NULL)
		check_report_add(report, nobody, row->path, 0,
		    "its group should be %s, which does not exist", row->group);
	else if (st->st_gid != (is_zero ? 0 : group->gr_gid))
		check_report_add(report, advice_of(row), row->path, 0,
		    "its group is gid %lu, not %s", (unsigned long)st->st_gid,
		    row->group);
}

static void
judge_target(struct check_report *report, const struct row *row)
{
	char target[256];
	ssize_t len = readlink(row->path, target, sizeof(target));

	if (len == -1)
		check_report_trouble(report, row->path, errno);
	else if (!span_is((struct span){target, (size_t)len}, row->target))
		check_report_add(report, advice_of(row), row->path, 0,
		    "it does not point to %s", row->target);
}

static void
check_row(struct check_report *report, const struct row *row)
{
	struct stat st;
	unsigned mode;

	if (lstat(row->path, &st) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			check_report_add(report, advice_of(row), row->path, 0,
			    "it is missing");
		else
			check_report_trouble(report, row->path, errno);
		return;
	}
	if (!has_type(row, st.st_mode)) {
		check_report_add(report, advice_of(row), row->path, 0,
		    "it is something else: a %s was expected",
		    row->type == 'd'       ? "directory"
			: row->type == 'l' ? "symbolic link"
					   : "regular file");
		return;
	}
	judge_owner(report, row, &st);
	mode = (unsigned)st.st_mode & 07777;
	if (row->type == 'l')
		judge_target(report, row);
	else if (mode != row->mode)
		check_report_add(report, advice_of(row), row->path, 0,
		    "its mode is %04o, not %04o", mode, (unsigned)row->mode);
}

/* In the home of an ordinary user all is his, and programs are elsewhere:
   bin is a link to them. */
static void
check_row_alone(struct check_report *report, const struct check_site *site,
    const struct row *row)
{
	static const struct check_advice missing = {
	    "what needs it does not work", "qmail-conf instance makes it"};
	static const struct check_advice foreign = {
	    "the daemons, which run as the owner of the home, cannot use it",
	    "chown it to the owner of the home"};
	static const struct check_advice open_to_all = {
	    "whoever may write there decides what happens to the mail",
	    "chmod o-w it"};
	static const struct check_advice set = {
	    "no program of cqmail needs it: whoever runs it gains rights",
	    "chmod ug-s it"};
	struct stat st;
	unsigned mode;

	/* An instance has no manual, and its daemons make their own files; the
	   links are names that no part of cqmail is called by. */
	if (row->type == 'm' || row->type == 's' || row->type == 'l' ||
	    strncmp(row->path, "man", 3) == 0)
		return;
	if (stat(row->path, &st) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			check_report_add(
			    report, missing, row->path, 0, "it is missing");
		else
			check_report_trouble(report, row->path, errno);
		return;
	}
	mode = (unsigned)st.st_mode & 07777;
	if (mode & (S_ISUID | S_ISGID) && row->type != 'd')
		check_report_add(report, set, row->path, 0,
		    "mode %04o: it has a setuid or setgid bit", mode);
	if (mode & 002)
		check_report_add(report, open_to_all, row->path, 0,
		    "mode %04o: everybody may write there", mode);
	if (strcmp(row->path, "queue") == 0 && mode & 007)
		check_report_add(report,
		    (struct check_advice){
			"others may read queued mail", "chmod o-rwx it"},
		    row->path, 0, "mode %04o lets others in", mode);
	if (row->type == 'd' && strcmp(row->path, "bin") != 0 &&
	    st.st_uid != site->uid)
		check_report_add(report, foreign, row->path, 0,
		    "its owner is uid %lu, not that of the home, %lu",
		    (unsigned long)st.st_uid, (unsigned long)site->uid);
}

void
check_privileges(struct check_report *report, const struct check_site *site)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (site->alone)
			check_row_alone(report, site, &rows[i]);
		else
			check_row(report, &rows[i]);
	}
}
