/*
 * qmail-showctl - say how the mail system is configured
 * Runs as: whoever wants to know    Trusts: nothing
 * Reads:   control/                 Writes: fd 1
 * Exit:    0 done; 100 wrong usage; 111 something cannot be read
 */
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "admin/control_text.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/out.h"
#include "base/sig.h"
#include "base/str.h"
#include "conf/control.h"
#include "config.h"
#include "mail/queue_file.h"
#include "net/pool.h"

enum {
	USER_DELIMITER = '-', /* qmail-getpw */
	PATERNALISM = 002,    /* qmail-local: bits that a home may not have */
};

static struct {
	struct stat home;
	struct str text;
	struct out out;
	char out_buffer[4096];
	int code;
} program = {.text = STR_INIT, .code = EXIT_OK};

static void
append_id(const char *before, bool exists, uint64_t id)
{
	str_append_cstr(&program.text, before);
	if (exists)
		str_append_u64(&program.text, id);
	else
		str_append_cstr(&program.text, "none");
}

/* The accounts; in the home of an ordinary user he is all of them. */
static void
append_ids(void)
{
	static const char *const users[] = {CONFIG_USER_ALIAS,
	    CONFIG_USER_QMAILD, CONFIG_USER_QMAILL, CONFIG_USER_OWNER,
	    CONFIG_USER_QMAILP, CONFIG_USER_QMAILQ, CONFIG_USER_QMAILR,
	    CONFIG_USER_QMAILS};
	static const char *const groups[] = {
	    CONFIG_GROUP_NOFILES, CONFIG_GROUP_QMAIL};
	bool alone = program.home.st_uid != 0;

	str_append_cstr(&program.text, "user ids:");
	for (size_t i = 0; i < COUNT(users); i++) {
		const struct passwd *user = alone ? NULL : getpwnam(users[i]);

		append_id(i == 0 ? " " : ", ", alone || user != NULL,
		    user != NULL ? user->pw_uid : program.home.st_uid);
	}
	str_append_cstr(&program.text, ".\ngroup ids:");
	for (size_t i = 0; i < COUNT(groups); i++) {
		const struct group *group = alone ? NULL : getgrnam(groups[i]);

		append_id(i == 0 ? " " : ", ", alone || group != NULL,
		    group != NULL ? group->gr_gid : program.home.st_gid);
	}
	str_append_cstr(&program.text, ".\n");
}

static void
append_head(void)
{
	str_append_cstr(&program.text, "qmail home directory: ");
	control_text_append_safe(&program.text, span_of(control_home_path()));
	str_append_format(&program.text,
	    ".\nuser-ext delimiter: %c.\npaternalism (in decimal): %d.\n"
	    "silent concurrency limit: %d.\nsubdirectory split: %d.\n",
	    USER_DELIMITER, PATERNALISM, POOL_JOBS_MAX, QUEUE_FILE_SPLIT);
	append_ids();
}

/* What cannot be read is named, and the others follow. */
static void
append_known(void)
{
	for (size_t i = 0; i < control_text_count(); i++) {
		if (control_text_append(&program.text, i) == -1) {
			warn_sys(
			    "cannot read control/%s", control_text_name(i));
			program.code = EXIT_TEMP;
		}
	}
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files that no program reads; those of editors start with a dot. */
static void
append_unknown(void)
{
	DIR *dir = opendir("control");
	char **names = NULL;
	size_t count = 0;

	if (dir == NULL)
		die_sys("cannot list control");
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			break;
		if (entry->d_name[0] == '.' ||
		    control_text_is_known(entry->d_name))
			continue;
		names = mem_resize(names, count + 1, sizeof(*names));
		names[count] = strdup(entry->d_name);
		if (names[count++] == NULL)
			die_sys("cannot list control");
	}
	if (errno != 0)
		die_sys("cannot list control");
	(void)closedir(dir); /* only read */
	if (count > 0)
		qsort(names, count, sizeof(*names), compare);
	for (size_t i = 0; i < count; i++) {
		str_append_char(&program.text, '\n');
		control_text_append_safe(&program.text, span_of(names[i]));
		str_append_cstr(
		    &program.text, ": I have no idea what this file does.\n");
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char **argv)
{
	(void)argv;
	die_init("qmail-showctl");
	if (argc != 1)
		die_usage("qmail-showctl");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (sig_ignore(SIGPIPE) == -1)
		die_sys("cannot ignore SIGPIPE");
	if (control_home() == -1 || stat(".", &program.home) == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	append_head();
	append_known();
	append_unknown();
	out_init(
	    &program.out, 1, 0, program.out_buffer, sizeof(program.out_buffer));
	out_span(&program.out, str_span(&program.text));
	if (out_flush(&program.out) == -1)
		die_sys("cannot write");
	str_free(&program.text);
	return program.code;
}
