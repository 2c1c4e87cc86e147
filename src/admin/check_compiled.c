#include "admin/check_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "admin/check_text.h"
#include "base/cdb.h"
#include "base/die.h"
#include "base/fd.h"

/* A list and the database that a program makes of it. The advice for each
   finding is here, because its strings outlive the report. */
struct compiled {
	const char *name, *list, *cdb;
	const char *needs; /* a file without which it is not looked at */
	struct check_advice missing, alone, old, other, useless;
};

#define COMPILED(NAME, PROGRAM, NEEDS, USELESS)                                \
	{                                                                      \
		NAME, "control/" NAME, "control/" NAME ".cdb", NEEDS,          \
		    {NAME " has no effect", PROGRAM},                          \
		    {"nobody can tell what it was made from, and it is "       \
		     "obeyed",                                                 \
			"write " NAME " again, or remove the cdb"},            \
		    {"changes of " NAME " may have no effect yet", PROGRAM},   \
		    {"SMTP decides by what it was made from, not by what is "  \
		     "there now",                                              \
			PROGRAM},                                              \
		    USELESS                                                    \
	}
#define NEVER_USELESS                                                          \
	{                                                                      \
		"", ""                                                         \
	}
#define WITHOUT_RCPTHOSTS                                                      \
	{                                                                      \
		"without rcpthosts it is not looked at", "write rcpthosts"     \
	}

static const struct compiled lists[] = {
    COMPILED("morercpthosts", "qmail-newmrh", "control/rcpthosts",
	WITHOUT_RCPTHOSTS),
    COMPILED("morevalidrcptto", "qmail-newmvrt", NULL, NEVER_USELESS),
};

/* Reports the first entry that the database lacks; *count is that of all. */
static bool
has_all(struct check_report *report, const struct compiled *one,
    const struct cdb *cdb, struct span list, uint64_t *count)
{
	struct check_lines lines = {.rest = list};
	struct str key = STR_INIT, data = STR_INIT;
	struct span line;
	int found = 1;

	for (*count = 0; found == 1 && check_lines_next(&lines, &line);
	     ++*count) {
		str_clear(&key);
		for (size_t i = 0; i < line.len; i++)
			str_append_char(&key, span_lower(line.s[i]));
		found = cdb_find(cdb, str_span(&key), &data);
	}
	if (found == 0)
		check_report_add(report, one->other, one->list, lines.number,
		    "%s is not in the cdb", quote_span(line));
	else if (found == -1)
		check_report_add(
		    report, one->other, one->cdb, 0, "it is damaged");
	str_free(&key);
	str_free(&data);
	return found == 1;
}

static void
compare(struct check_report *report, const struct compiled *one,
    struct span list, struct span made)
{
	struct cdb cdb;
	uint64_t count;
	int fd = open(one->cdb, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1) {
		check_report_trouble(report, one->cdb, errno);
		return;
	}
	if (cdb_open(&cdb, fd) == -1)
		check_report_add(
		    report, one->other, one->cdb, 0, "it is damaged");
	else if (has_all(report, one, &cdb, list, &count) &&
	    count != check_cdb_count(made))
		check_report_add(report, one->other, one->cdb, 0,
		    "it has other entries than %s", one->name);
	fd_close(fd);
}

static void
check_one(struct check_report *report, const struct compiled *one)
{
	struct str list = STR_INIT, made = STR_INIT;
	struct stat list_st, made_st;
	int has_list = check_file_read(one->list, &list, &list_st);
	int has_made = check_file_read(one->cdb, &made, &made_st);

	if (has_made == -1)
		check_report_trouble(report, one->cdb, errno);
	else if (has_list == 1 && has_made == 0)
		check_report_add(
		    report, one->missing, one->cdb, 0, "it is missing");
	else if (has_list == 0 && has_made == 1)
		check_report_add(report, one->alone, one->cdb, 0,
		    "its source, %s, is missing", one->name);
	else if (has_list == 1 && has_made == 1) {
		if (check_is_newer(&list_st, &made_st))
			check_report_add(report, one->old, one->cdb, 0,
			    "it is older than %s", one->name);
		compare(report, one, str_span(&list), str_span(&made));
	}
	if (has_list == 1 && one->needs != NULL &&
	    access(one->needs, F_OK) == -1)
		check_report_add(
		    report, one->useless, one->list, 0, "rcpthosts is missing");
	str_free(&list);
	str_free(&made);
}

void
check_compiled(struct check_report *report)
{
	for (size_t i = 0; i < COUNT(lists); i++)
		check_one(report, &lists[i]);
}
