/*
 * A whole session of qmail-pop3d against a plain model of it. The input holds
 * some messages (where, name and text, each up to a NUL) and what the client
 * says. Every reply must be the one of the model; after QUIT what was deleted
 * is gone and the rest is in cur/, after any other end all is as it was.
 *
 * The program is taken in whole; it ends by jumping back here.
 */
#include "../fuzz.h"
#include "../program.h"

#include <dirent.h>

static void leave_program(int code) __attribute__((noreturn));
#define main pop3d_main
#define _exit(code) leave_program(code)
#define alarm(seconds) ((void)(seconds), 0u)
#define getuid() 1000u
#define geteuid() 1000u
#include "../../../src/pop3/qmail-pop3d.c"
#undef main
#undef _exit
#undef alarm
#undef getuid
#undef geteuid
#include "base/sandbox.h"

/* In place of src/base/sandbox.c: this process has more Maildirs to make. */
void
sandbox_enter(const struct sandbox *rights)
{
	(void)rights;
}

enum {
	MESSAGES_MAX = 4,
	NAME_LEN_MAX = 40,
};

static int input_file = -1, output_file = -1;

static void
leave_program(int code)
{
	longjmp(end_of_program, code + 1);
}

/* ---- the maildir -------------------------------------------------------- */

struct stored {
	char path[NAME_LEN_MAX + 8];
	struct span text;
	bool is_deleted;
};

static struct stored stored[MESSAGES_MAX];
static size_t stored_count;

static void
empty_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	require(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			require(unlinkat(dirfd(dir), entry->d_name, 0) == 0);
	}
	closedir(dir);
}

static bool
is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* A file as old as its number, so that the order is known. */
static void
store(struct span *input, bool is_new)
{
	struct span name = fuzz_until(input, '\0');
	struct span text = fuzz_until(input, '\0');
	struct stored *one = &stored[stored_count];
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	struct str path = STR_INIT;

	if (name.len == 0 || name.len > NAME_LEN_MAX || name.s[0] == '.' ||
	    span_find(name, '/') != SPAN_NONE)
		return;
	str_append_cstr(&path, is_new ? "new/" : "cur/");
	str_append_span(&path, name);
	if (!is_there(path.s)) {
		times[1].tv_sec = (time_t)stored_count + 1;
		fuzz_write_file(path.s, text);
		require(utimensat(AT_FDCWD, path.s, times, 0) == 0);
		memcpy(one->path, path.s, path.len + 1);
		one->text = text;
		one->is_deleted = false;
		stored_count++;
	}
	str_free(&path);
}

static void
fill_maildir(struct span *input)
{
	unsigned char flags = fuzz_byte(input);

	fuzz_enter_directory();
	fuzz_make_directory("new");
	fuzz_make_directory("cur");
	fuzz_make_directory("tmp");
	empty_directory("new");
	empty_directory("cur");
	stored_count = 0;
	for (size_t i = 0; i < flags % (MESSAGES_MAX + 1u); i++)
		store(input, (flags >> (4 + i) & 1) == 0);
}

/* Where the files are after the session. */
static void
check_maildir(bool has_quit)
{
	for (size_t i = 0; i < stored_count; i++) {
		struct stored *one = &stored[i];
		struct str moved = STR_INIT;

		str_format(&moved, "cur/%s%s", one->path + 4,
		    strchr(one->path, ':') == NULL ? ":2," : "");
		if (!has_quit || (one->path[0] == 'c' && !one->is_deleted))
			require(is_there(one->path));
		else if (one->is_deleted)
			require(!is_there(one->path));
		else /* another of that name may have been there */
			require(is_there(moved.s) && !is_there(one->path));
		str_free(&moved);
	}
}

/* ---- the model ---------------------------------------------------------- */

static struct str want;
static uint64_t last_deleted;

static uint64_t
octets_of(size_t index)
{
	struct pop3_octets octets;

	pop3_octets_init(&octets);
	pop3_octets_add(&octets, stored[index].text);
	return pop3_octets_total(&octets);
}

static void
want_line(const char *text)
{
	str_append_cstr(&want, text);
	str_append_cstr(&want, "\r\n");
}

/* Digits at the start of *text, and the spaces behind them. */
static bool
take_number(struct span *text, uint64_t *number)
{
	size_t len = 0;

	*number = 0;
	while (len < text->len && text->s[len] >= '0' && text->s[len] <= '9') {
		unsigned digit = (unsigned)(text->s[len++] - '0');

		*number = *number > (UINT64_MAX - digit) / 10
		    ? UINT64_MAX
		    : *number * 10 + digit;
	}
	*text = span_from(*text, len);
	while (len > 0 && text->len > 0 && text->s[0] == ' ')
		*text = span_from(*text, 1);
	return len > 0;
}

static bool
want_message(struct span *text, size_t *index)
{
	uint64_t number;

	if (!take_number(text, &number))
		want_line("-ERR syntax error");
	else if (number == 0)
		want_line("-ERR messages are counted from 1");
	else if (number > stored_count)
		want_line("-ERR not that many messages");
	else if (stored[number - 1].is_deleted)
		want_line("-ERR already deleted");
	else {
		*index = (size_t)number - 1;
		return true;
	}
	return false;
}

static void
want_entry(size_t index, bool is_uidl)
{
	const char *name = stored[index].path + 4;

	str_append_u64(&want, index + 1);
	str_append_char(&want, ' ');
	if (!is_uidl)
		str_append_u64(&want, octets_of(index));
	for (; is_uidl && *name != '\0' && *name != ':'; name++)
		str_append_char(
		    &want, *name > ' ' && *name <= '~' ? *name : '_');
	want_line("");
}

static void
want_list(struct span argument, bool is_uidl)
{
	size_t index;

	if (argument.len > 0) {
		if (want_message(&argument, &index)) {
			str_append_cstr(&want, "+OK ");
			want_entry(index, is_uidl);
		}
		return;
	}
	want_line("+OK ");
	for (size_t i = 0; i < stored_count; i++) {
		if (!stored[i].is_deleted)
			want_entry(i, is_uidl);
	}
	want_line(".");
}

static void
want_text(struct span argument)
{
	struct pop3_text text;
	struct out out;
	uint64_t lines;
	size_t index, room;
	char *buf;

	if (!want_message(&argument, &index))
		return;
	if (!take_number(&argument, &lines))
		lines = POP3_TEXT_ALL;
	room = stored[index].text.len * 3 + 16;
	buf = malloc(room);
	require(buf != NULL);
	want_line("+OK ");
	out_init(&out, -1, 0, buf, room);
	pop3_text_init(&text, lines);
	pop3_text_write(&text, &out, stored[index].text);
	pop3_text_end(&text, &out);
	str_append(&want, buf, out.len);
	free(buf);
}

static void
want_stat(void)
{
	uint64_t octets = 0;
	size_t count = 0;

	for (size_t i = 0; i < stored_count; i++) {
		if (!stored[i].is_deleted) {
			octets += octets_of(i);
			count++;
		}
	}
	str_append_format(&want, "+OK %zu ", count);
	str_append_u64(&want, octets);
	want_line("");
}

static void
want_dele(struct span argument)
{
	size_t index;

	if (!want_message(&argument, &index))
		return;
	stored[index].is_deleted = true;
	if (index + 1 > last_deleted)
		last_deleted = index + 1;
	want_line("+OK ");
}

static void
want_rset(void)
{
	for (size_t i = 0; i < stored_count; i++)
		stored[i].is_deleted = false;
	last_deleted = 0;
	want_line("+OK ");
}

/* One line without its end. True if it is QUIT. */
static bool
want_reply(struct span line)
{
	size_t end = span_find(line, ' ');
	struct span verb = span_until(line, end == SPAN_NONE ? line.len : end);
	struct span argument = span_from(line, verb.len);

	while (argument.len > 0 && argument.s[0] == ' ')
		argument = span_from(argument, 1);
	if (span_equal_nocase(verb, SPAN_LITERAL("STAT"))) {
		want_stat();
	} else if (span_equal_nocase(verb, SPAN_LITERAL("LIST"))) {
		want_list(argument, false);
	} else if (span_equal_nocase(verb, SPAN_LITERAL("UIDL"))) {
		want_list(argument, true);
	} else if (span_equal_nocase(verb, SPAN_LITERAL("DELE"))) {
		want_dele(argument);
	} else if (span_equal_nocase(verb, SPAN_LITERAL("RETR")) ||
	    span_equal_nocase(verb, SPAN_LITERAL("TOP"))) {
		want_text(argument);
	} else if (span_equal_nocase(verb, SPAN_LITERAL("RSET"))) {
		want_rset();
	} else if (span_equal_nocase(verb, SPAN_LITERAL("LAST"))) {
		str_append_cstr(&want, "+OK ");
		str_append_u64(&want, last_deleted);
		want_line("");
	} else if (span_equal_nocase(verb, SPAN_LITERAL("CAPA"))) {
		want_line("+OK \r\n" POP3_CAPABILITIES ".");
	} else if (span_equal_nocase(verb, SPAN_LITERAL("NOOP")) ||
	    span_equal_nocase(verb, SPAN_LITERAL("QUIT"))) {
		want_line("+OK ");
	} else {
		want_line("-ERR unimplemented");
	}
	return span_equal_nocase(verb, SPAN_LITERAL("QUIT"));
}

/* All replies. True if the session ends with QUIT. */
static bool
want_session(struct span input)
{
	last_deleted = 0;
	str_clear(&want);
	want_line("+OK ");
	for (;;) {
		size_t end = span_find(input, '\n');
		struct span line;

		if (end == SPAN_NONE)
			return false; /* cut: no command */
		line = span_until(input, end);
		input = span_from(input, end + 1);
		if (line.len > 0 && line.s[line.len - 1] == '\r')
			line.len--;
		if (want_reply(line))
			return true;
	}
}

static bool
has_long_line(struct span input)
{
	while (input.len > 0) {
		if (fuzz_until(&input, '\n').len >= POP3_LINE_MAX)
			return true;
	}
	return false;
}

/* ---- the session -------------------------------------------------------- */

static void
run_session(struct span input)
{
	char name[] = "qmail-pop3d", dot[] = ".";
	char *argv[] = {name, dot, NULL};

	require(
	    ftruncate(input_file, 0) == 0 && ftruncate(output_file, 0) == 0);
	require(
	    pwrite(input_file, input.s, input.len, 0) == (ssize_t)input.len);
	require(lseek(input_file, 0, SEEK_SET) == 0 &&
	    lseek(output_file, 0, SEEK_SET) == 0);
	require(dup2(input_file, 0) == 0 && dup2(output_file, 1) == 1);
	mailbox_free(&pop3d.mailbox);
	pop3d.last = pop3d.retrieved = pop3d.deleted = 0;
	if (setjmp(end_of_program) == 0)
		(void)pop3d_main(2, argv);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct str got = STR_INIT;
	bool has_quit;

	fuzz_hush();
	fill_maildir(&input);
	if (input_file == -1) {
		input_file = open("input", O_RDWR | O_CREAT, 0600);
		output_file = open("output", O_RDWR | O_CREAT, 0600);
		require(input_file != -1 && output_file != -1);
		want = (struct str)STR_INIT;
	}
	if (has_long_line(input)) {
		run_session(input);
		fuzz_speak();
		return 0;
	}
	has_quit = want_session(input);
	run_session(input);
	str_reserve(&got, want.len + 1);
	got.len = (size_t)pread(output_file, got.s, want.len + 1, 0);
	require(span_equal(str_span(&got), str_span(&want)));
	check_maildir(has_quit);
	str_free(&got);
	fuzz_speak();
	return 0;
}
