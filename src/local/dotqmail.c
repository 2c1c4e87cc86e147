#include "local/dotqmail.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "local/temporary.h"

#define DEFAULT_WORD "default"
enum {
	DEFAULT_LEN = sizeof(DEFAULT_WORD) - 1,
};

void
dotqmail_append_safe_ext(struct str *to, struct span ext)
{
	for (size_t i = 0; i < ext.len; i++) {
		char byte = span_lower(ext.s[i]);

		str_append_char(to, byte == '.' ? ':' : byte);
	}
}

static void
make_name(struct str *name, struct span dash, struct span ext)
{
	str_copy(name, SPAN_LITERAL(".qmail"));
	str_append_span(name, dash);
	str_append_span(name, ext);
}

int
dotqmail_search_next(
    struct dotqmail_search *search, struct str *name, size_t *default_at)
{
	struct span ext = search->safe_ext;
	size_t len;

	if (!search->is_started) {
		search->is_started = true;
		search->next = ext.len + 1; /* one more than the longest */
		make_name(name, search->dash, ext);
		*default_at = SPAN_NONE;
		if (ext.len >= DEFAULT_LEN &&
		    span_is(
			span_from(ext, ext.len - DEFAULT_LEN), DEFAULT_WORD))
			*default_at = ext.len - DEFAULT_LEN;
		return 1;
	}
	while (search->next > 0) {
		len = --search->next;
		if (len > 0 && ext.s[len - 1] != '-')
			continue;
		make_name(name, search->dash, span_until(ext, len));
		str_append_cstr(name, DEFAULT_WORD);
		*default_at = len;
		return 1;
	}
	return 0;
}

/* True if an error of open means that we may not decide without the file. */
static bool
is_fatal(int error)
{
	return temporary_error(error) || error == EPERM || error == EACCES;
}

/* Reads the file if it is one; DOTQMAIL_NONE for anything else. */
static int
read_file(struct dotqmail_file *file)
{
	struct stat st;
	int result = DOTQMAIL_ERROR;
	/* O_NONBLOCK: a FIFO of that name must not hold us */
	int fd = open(file->name.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1)
		return is_fatal(errno) ? DOTQMAIL_ERROR : DOTQMAIL_NONE;
	if (fstat(fd, &st) == -1)
		goto done;
	if (!S_ISREG(st.st_mode)) {
		result = DOTQMAIL_NONE;
		goto done;
	}
	if (st.st_mode & DOTQMAIL_FORBIDDEN) {
		result = DOTQMAIL_WRITABLE;
		goto done;
	}
	file->forward_only = (st.st_mode & S_IXUSR) != 0;
	str_clear(&file->text);
	if (file_read_fd(fd, DOTQMAIL_SIZE_MAX, &file->text) == 0)
		result = DOTQMAIL_FOUND;
done:
	fd_close(fd);
	return result;
}

int
dotqmail_find(
    struct span dash, struct span safe_ext, struct dotqmail_file *file)
{
	struct dotqmail_search search = {.dash = dash, .safe_ext = safe_ext};

	while (dotqmail_search_next(&search, &file->name, &file->default_at)) {
		int result = read_file(file);

		if (result != DOTQMAIL_NONE)
			return result;
	}
	file->default_at = SPAN_NONE;
	return DOTQMAIL_NONE;
}

void
dotqmail_file_free(struct dotqmail_file *file)
{
	str_free(&file->name);
	str_free(&file->text);
}

/* Takes one line off the front, without LF and trailing blanks. */
static struct span
take_line(struct dotqmail_lines *lines)
{
	size_t lf = span_find(lines->rest, '\n');
	struct span line = lines->rest;

	if (lf != SPAN_NONE)
		line = span_until(line, lf);
	lines->rest =
	    span_from(lines->rest, lf == SPAN_NONE ? lines->rest.len : lf + 1);
	return span_trim_right(line);
}

enum dotqmail_kind
dotqmail_next_line(struct dotqmail_lines *lines, struct span *text)
{
	/* no byte at all counts as one blank line */
	while (lines->rest.len > 0 || !lines->is_started) {
		struct span line = take_line(lines);
		bool is_first = !lines->is_started;

		lines->is_started = true;
		*text = line;
		if (line.len == 0) {
			if (is_first)
				return DOTQMAIL_BLANK_FIRST;
			continue;
		}
		if (line.s[0] == '#')
			continue;
		if (span_find(line, '\0') != SPAN_NONE)
			return DOTQMAIL_NUL;
		switch (line.s[0]) {
		case '.':
		case '/':
			return line.s[line.len - 1] == '/' ? DOTQMAIL_MAILDIR
							   : DOTQMAIL_MBOX;
		case '|':
			*text = span_from(line, 1);
			return DOTQMAIL_PROGRAM;
		case '+':
			if (span_is(line, "+list"))
				return DOTQMAIL_LIST;
			continue;
		case '&':
			*text = span_from(line, 1);
			return DOTQMAIL_FORWARD;
		default:
			return DOTQMAIL_FORWARD;
		}
	}
	return DOTQMAIL_END;
}
