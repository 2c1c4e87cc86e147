/* control/smtpplugins: a file that is taken has a section before each line and
   as many plugins as lines, and says so of each stage */
#include "../fuzz.h"

#include "accept/smtp_plugins.h"

static bool
is_section(struct span line)
{
	static const char *const names[] = {"[connection]", "[helo]", "[mail]",
	    "[rcpt]", "[pass]", "[data]", "[auth]"};

	for (size_t i = 0; i < SMTP_STAGES; i++) {
		if (span_equal_nocase(line, span_of(names[i])))
			return true;
	}
	return false;
}

/* How many plugins the file has; SPAN_NONE: it makes no sense. */
static size_t
count_plugins(struct span file)
{
	bool has_section = false;
	size_t count = 0;

	while (file.len > 0) {
		struct span line = span_trim_right(fuzz_until(&file, '\n'));

		if (line.len == 0 || line.s[0] == '#')
			continue;
		if (line.s[0] == '[') {
			if (!is_section(line))
				return SPAN_NONE;
			has_section = true;
			continue;
		}
		if (!has_section || span_find(line, '\0') != SPAN_NONE)
			return SPAN_NONE;
		count++;
	}
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span file = {(const char *)data, size};
	struct smtp_plugins plugins;
	int loaded;

	fuzz_enter_directory();
	fuzz_make_directory("control");
	fuzz_write_file("control/smtpplugins", file);
	fuzz_hush();
	loaded = smtp_plugins_load(&plugins);
	fuzz_speak();
	if (fuzz_count(file, '\n') < SMTP_PLUGINS_MAX)
		require((loaded == 0) == (count_plugins(file) != SPAN_NONE));
	if (loaded == 0)
		require(plugins.count == count_plugins(file));
	require(plugins.count <= SMTP_PLUGINS_MAX);
	smtp_plugins_free(&plugins);
	return 0;
}
