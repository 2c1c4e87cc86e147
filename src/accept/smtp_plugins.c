#include "accept/smtp_plugins.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/mem.h"
#include "conf/control.h"
#include "net/child.h"

#define TROUBLE "451 a check of this server could not be made (#4.3.0)"

enum {
	EXIT_NOT_RUN = 126, /* of the child; a shell says 126 or 127 too */
};

struct smtp_plugin {
	enum smtp_stage stage;
	bool is_shell; /* a command for the shell */
	struct str command;
};

/* ---- the file -------------------------------------------------------------
 */

static int
find_stage(struct span line, enum smtp_stage *stage)
{
	static const char *const names[SMTP_STAGES] = {"[connection]", "[helo]",
	    "[mail]", "[rcpt]", "[pass]", "[data]", "[auth]"};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (span_equal_nocase(line, span_of(names[i]))) {
			*stage = (enum smtp_stage)i;
			return 0;
		}
	}
	return -1;
}

static int
grow(struct smtp_plugins *plugins)
{
	size_t room = plugins->room == 0 ? 8 : plugins->room * 2;
	struct smtp_plugin *all;

	if (plugins->count < plugins->room)
		return 0;
	all = mem_try_alloc(room, sizeof(*all));
	if (all == NULL)
		return -1;
	for (size_t i = 0; i < plugins->count; i++)
		all[i] = plugins->all[i];
	free(plugins->all);
	plugins->all = all;
	plugins->room = room;
	return 0;
}

static int
add_plugin(
    struct smtp_plugins *plugins, enum smtp_stage stage, struct span line)
{
	struct smtp_plugin *plugin;

	if (grow(plugins) == -1)
		return -1;
	plugin = &plugins->all[plugins->count++];
	*plugin = (struct smtp_plugin){
	    .stage = stage, .is_shell = line.s[0] == ':', .command = STR_INIT};
	str_copy(&plugin->command, span_from(line, plugin->is_shell));
	return 0;
}

static int
read_lines(struct smtp_plugins *plugins, const struct control_table *table,
    const char *path)
{
	enum smtp_stage stage = SMTP_STAGES;

	for (size_t i = 0; i < table->entry_count; i++) {
		struct span line = table->lines[i];
		bool is_section = line.s[0] == '[';

		if (is_section
			? find_stage(line, &stage) == -1
			: stage == SMTP_STAGES || i >= SMTP_PLUGINS_MAX ||
			    span_find(line, '\0') != SPAN_NONE) {
			warn_plain("%s: %s %s", path, quote_span(line),
			    is_section ? "is no section"
				       : "cannot be a plugin here");
			errno = EINVAL;
			return -1;
		}
		if (!is_section && add_plugin(plugins, stage, line) == -1)
			return -1;
	}
	return 0;
}

void
smtp_plugins_init(struct smtp_plugins *plugins)
{
	*plugins = (struct smtp_plugins){
	    .all = NULL, .reply = STR_INIT, .header = STR_INIT};
	for (size_t i = 0; i < SMTP_STAGES; i++)
		plugins->always[i] = plugins->now[i] = (struct str)STR_INIT;
}

int
smtp_plugins_load(struct smtp_plugins *plugins)
{
	struct control_table table = CONTROL_TABLE_INIT;
	const char *path = getenv("SPPCONFFILE");
	int result, error;

	smtp_plugins_init(plugins);
	if (path == NULL || path[0] == '\0')
		path = "control/smtpplugins";
	result = control_list(path, &table);
	if (result == 1)
		result = read_lines(plugins, &table, path);
	error = errno;
	control_table_free(&table);
	errno = error;
	return result;
}

void
smtp_plugins_free(struct smtp_plugins *plugins)
{
	for (size_t i = 0; i < plugins->count; i++)
		str_free(&plugins->all[i].command);
	free(plugins->all);
	for (size_t i = 0; i < SMTP_STAGES; i++) {
		str_free(&plugins->always[i]);
		str_free(&plugins->now[i]);
	}
	str_free(&plugins->reply);
	str_free(&plugins->header);
}

void
smtp_plugins_reset(struct smtp_plugins *plugins)
{
	for (size_t i = 0; i < SMTP_STAGES; i++)
		str_clear(&plugins->now[i]);
	str_clear(&plugins->header);
}

bool
smtp_plugins_has(const struct smtp_plugins *plugins)
{
	return plugins->count > 0 && !plugins->is_over;
}

const char *
smtp_plugins_refusal(const struct smtp_plugins *plugins, enum smtp_stage stage)
{
	if (plugins->always[stage].len > 0)
		return plugins->always[stage].s;
	return plugins->now[stage].len > 0 ? plugins->now[stage].s : NULL;
}

/* ---- what they say --------------------------------------------------------
 */

static int
set_variable(struct smtp_plugins *plugins, struct span text)
{
	struct str name = STR_INIT, value = STR_INIT;
	size_t at = span_find(text, '=');
	int result = -1;

	if (at != SPAN_NONE && at > 0) {
		str_copy(&name, span_until(text, at));
		str_copy(&value, span_from(text, at + 1));
		result = setenv(name.s, value.s, 1);
		plugins->has_set = true;
	}
	str_free(&name);
	str_free(&value);
	return result;
}

static int
unset_variable(struct smtp_plugins *plugins, struct span text)
{
	struct str name = STR_INIT;
	int result;

	str_copy(&name, text);
	result = unsetenv(name.s); /* EINVAL: no name can be like that */
	plugins->has_set = true;
	str_free(&name);
	return result;
}

/* The text of a reply: without what would end it or hide in it. */
static int
give_reply(struct str *to, struct span text)
{
	str_clear(to);
	for (size_t i = 0; i < text.len; i++)
		str_append_char(
		    to, text.s[i] >= ' ' && text.s[i] <= '~' ? text.s[i] : '?');
	return text.len == 0 ? -1 : 0;
}

static int
leave_refusal(
    struct smtp_plugins *plugins, enum smtp_stage stage, struct span text)
{
	struct str *lists = stage == SMTP_AT_CONNECTION || stage == SMTP_AT_HELO
	    ? plugins->always
	    : plugins->now;
	enum smtp_stage when;

	if (text.len < 2)
		return -1;
	switch (text.s[0]) {
	case 'M':
		when = SMTP_AT_MAIL;
		break;
	case 'R':
		when = SMTP_AT_RCPT;
		break;
	case 'D':
		when = SMTP_AT_DATA;
		break;
	default:
		return -1;
	}
	return give_reply(&lists[when], span_from(text, 1));
}

static int
add_header(struct smtp_plugins *plugins, struct span text)
{
	if (span_find(text, '\r') != SPAN_NONE ||
	    text.len + 1 > SMTP_PLUGIN_HEADER_MAX - plugins->header.len)
		return -1;
	str_append_span(&plugins->header, text);
	str_append_char(&plugins->header, '\n');
	return 0;
}

static int
replace_address(struct str *address, struct span text, size_t max)
{
	if (address == NULL || text.len > max ||
	    span_find(text, '\r') != SPAN_NONE)
		return -1;
	str_copy(address, text);
	return 0;
}

static int
give_now(struct smtp_plugins *plugins, struct span text, struct out *out)
{
	if (give_reply(&plugins->reply, text) == -1)
		return -1;
	out_span(out, str_span(&plugins->reply));
	out_cstr(out, "\r\n");
	return 0;
}

int
smtp_plugins_obey(struct smtp_plugins *plugins, enum smtp_stage stage,
    struct span line, struct str *address, size_t max, struct out *out,
    enum smtp_advice *advice)
{
	struct span text;

	*advice = SMTP_ADVICE_GO_ON;
	if (line.len == 0 || span_find(line, '\0') != SPAN_NONE)
		return line.len == 0 ? 0 : -1;
	text = span_from(line, 1);
	switch (line.s[0]) {
	case 'H':
		return add_header(plugins, text);
	case 'C':
		return replace_address(address, text, max);
	case 'S':
		return set_variable(plugins, text);
	case 'U':
		return unset_variable(plugins, text);
	case 'L':
		return leave_refusal(plugins, stage, text);
	case 'P':
		return give_now(plugins, text, out);
	case 'A':
		plugins->is_over = true;
		return 1;
	case 'N':
		return 1;
	case 'O':
		*advice = SMTP_ADVICE_SKIP_CHECKS;
		return 1;
	case 'E':
		*advice = SMTP_ADVICE_REFUSE;
		return give_reply(&plugins->reply, text) == -1 ? -1 : 1;
	case 'R':
		*advice = SMTP_ADVICE_CLOSE;
		return give_reply(&plugins->reply, text) == -1 ? -1 : 1;
	case 'D':
		*advice = SMTP_ADVICE_CLOSE;
		str_clear(&plugins->reply);
		return 1;
	default:
		return -1;
	}
}

/* ---- running one ----------------------------------------------------------
 */

/* Reads to the end of file; -1 if it takes too long or is too much. */
static int
read_output(int fd, struct str *output)
{
	int64_t end = clock_mono_ms() + SMTP_PLUGIN_TIMEOUT_MS;
	char bytes[4096];

	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int64_t left = end - clock_mono_ms();
		ssize_t got;

		if (left <= 0 || output->len > SMTP_PLUGIN_OUTPUT_MAX)
			return -1;
		if (poll(&wait, 1, (int)left) == -1 && errno != EINTR)
			return -1;
		if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) == 0)
			continue;
		got = read(fd, bytes, sizeof(bytes));
		if (got == 0)
			return 0;
		if (got == -1 && errno != EINTR)
			return -1;
		if (got > 0)
			str_append(output, bytes, (size_t)got);
	}
}

/* Ends a child that may still run, and returns how it ended. */
static int
end_child(pid_t pid, bool is_killed)
{
	int status;

	if (is_killed)
		(void)kill(pid, SIGKILL); /* already gone: fine */
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return CHILD_KILLED;
	}
	return child_code(status);
}

/* Replaces *output by all that the plugin prints. 0, or -1 if it cannot be run
   to its end. */
static int
run(const struct smtp_plugin *plugin, struct str *output)
{
	char shell[] = "/bin/sh", option[] = "-c";
	char *in_shell[] = {shell, option, plugin->command.s, NULL};
	char *alone[] = {plugin->command.s, NULL};
	struct child_plan plan = {
	    .path = plugin->is_shell ? shell : plugin->command.s,
	    .argv = plugin->is_shell ? in_shell : alone,
	    .fds = {CHILD_NULL, CHILD_NULL, CHILD_KEEP},
	    .drop_failed = EXIT_NOT_RUN,
	    .exec_failed = EXIT_NOT_RUN};
	int pipe_fds[2], result, code;
	pid_t pid;

	str_clear(output);
	if (fd_pipe(pipe_fds) == -1)
		return -1;
	plan.fds[1] = pipe_fds[1];
	pid = child_start(&plan);
	fd_close(pipe_fds[1]);
	result = pid == -1 ? -1 : read_output(pipe_fds[0], output);
	fd_close(pipe_fds[0]);
	if (pid == -1)
		return -1;
	code = end_child(pid, result == -1);
	if (code == CHILD_KILLED || code == 126 || code == 127)
		result = -1;
	return result;
}

/* Obeys all that a plugin printed. 1 if *advice is the last word. */
static int
obey_all(struct smtp_plugins *plugins, enum smtp_stage stage, struct span rest,
    struct str *address, size_t max, struct out *out, enum smtp_advice *advice)
{
	int result = 0;

	while (rest.len > 0 && result == 0) {
		size_t end = span_find(rest, '\n');
		struct span line =
		    end == SPAN_NONE ? rest : span_until(rest, end);

		rest = span_from(rest, end == SPAN_NONE ? rest.len : end + 1);
		if (line.len > 0 && line.s[line.len - 1] == '\r')
			line.len--;
		result = line.len > SMTP_PLUGIN_LINE_MAX
		    ? -1
		    : smtp_plugins_obey(
			  plugins, stage, line, address, max, out, advice);
		if (result == -1)
			warn_plain(
			    "plugin says nonsense: %s", quote_span(line));
	}
	return result;
}

enum smtp_advice
smtp_plugins_ask(struct smtp_plugins *plugins, enum smtp_stage stage,
    struct str *address, size_t max, struct out *out)
{
	enum smtp_advice advice = SMTP_ADVICE_GO_ON;
	struct str output = STR_INIT;
	int result = 0;

	for (size_t i = 0; i < plugins->count && result == 0; i++) {
		const struct smtp_plugin *plugin = &plugins->all[i];

		if (plugin->stage != stage || plugins->is_over)
			continue;
		result = run(plugin, &output);
		if (result == -1)
			warn_plain("cannot run plugin %s",
			    quote_span(str_span(&plugin->command)));
		else
			result = obey_all(plugins, stage, str_span(&output),
			    address, max, out, &advice);
	}
	if (result == -1) {
		str_copy(&plugins->reply, span_of(TROUBLE));
		advice = SMTP_ADVICE_REFUSE;
	}
	str_free(&output);
	return advice;
}
