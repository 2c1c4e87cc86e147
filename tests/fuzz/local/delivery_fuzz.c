/*
 * What qmail-local -n says about an extension, the instructions that it finds
 * (the input says in which file) and the default ones: the lines of each kind
 * that it counts are those that are there, and nothing in the home changes.
 */
#include "../fuzz.h"

#include <dirent.h>

#include "base/die.h"
#include "local/delivery.h"
#include "local/dotqmail.h"

static const char *const files[] = {
    ".qmail-default", ".qmail-a", ".qmail-a-default", ".qmail"};

static size_t
count_files(void)
{
	DIR *dir = opendir(".");
	size_t count = 0;

	require(dir != NULL);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

/* "did M+F+P" of instructions; false if they cannot be obeyed. */
static bool
count_kinds(struct span text, bool forward_only, struct str *did)
{
	struct dotqmail_lines lines = {text, false};
	unsigned counts[3] = {0};
	struct span one;

	for (;;) {
		switch (dotqmail_next_line(&lines, &one)) {
		case DOTQMAIL_END:
			str_format(did, "did %u+%u+%u\n", counts[0], counts[1],
			    counts[2]);
			return true;
		case DOTQMAIL_BLANK_FIRST:
		case DOTQMAIL_NUL:
			return false;
		case DOTQMAIL_MAILDIR:
		case DOTQMAIL_MBOX:
			if (forward_only)
				return false;
			counts[0]++;
			break;
		case DOTQMAIL_PROGRAM:
			if (forward_only)
				return false;
			counts[2]++;
			break;
		case DOTQMAIL_FORWARD:
			counts[1]++;
			break;
		case DOTQMAIL_LIST:
			forward_only = true;
			break;
		}
	}
}

static bool
ends_with(struct span text, struct span end)
{
	return text.len >= end.len &&
	    span_equal(span_from(text, text.len - end.len), end);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct message message;
	static char home[4096];
	struct span input = {(const char *)data, size}, text, used;
	struct report report = REPORT_INIT(0);
	struct delivery_mode mode = {.is_dry = true};
	struct str safe_ext = STR_INIT, did = STR_INIT;
	struct dotqmail_file file = DOTQMAIL_FILE_INIT;
	struct local_job job = {0};
	unsigned char flags = fuzz_byte(&input);
	const char *path = files[flags & 3];
	size_t before;
	int code, found;

	if (home[0] == '\0') {
		fuzz_enter_directory();
		require(getcwd(home, sizeof(home)) != NULL);
	}
	job.user = SPAN_LITERAL("joe");
	job.homedir = span_of(home);
	job.dash = flags & 4 ? SPAN_LITERAL("-") : (struct span){"", 0};
	job.ext = fuzz_until(&input, '\0');
	job.local = SPAN_LITERAL("joe-x");
	job.domain = SPAN_LITERAL("h");
	job.sender = fuzz_until(&input, '\0');
	job.default_delivery = fuzz_until(&input, '\0');
	text = input;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlink(files[i]);
	fuzz_write_file(path, text);
	require(chmod(path, flags & 8 ? 0700 : 0600) == 0);
	message_init(&message, -1);
	before = count_files();
	code = delivery_run(&job, &message, mode, &report);
	require(code == EXIT_OK || code == EXIT_PERM || code == EXIT_TEMP);
	require(count_files() == before);
	dotqmail_append_safe_ext(&safe_ext, job.ext);
	found = dotqmail_find(job.dash, str_span(&safe_ext), &file);
	require(found != DOTQMAIL_ERROR || code == EXIT_TEMP);
	if (found == DOTQMAIL_NONE && job.dash.len > 0)
		require(code == EXIT_PERM);
	if (found == DOTQMAIL_FOUND || (found == 0 && job.dash.len == 0)) {
		used = found == 0 || file.text.len == 0 ? job.default_delivery
							: str_span(&file.text);
		require((code == EXIT_OK) ==
		    count_kinds(
			used, file.text.len > 0 && file.forward_only, &did));
		if (code == EXIT_OK)
			require(
			    ends_with(str_span(&report.text), str_span(&did)));
	}
	dotqmail_file_free(&file);
	str_free(&report.text);
	str_free(&safe_ext);
	str_free(&did);
	return 0;
}
