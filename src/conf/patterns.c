#include "conf/patterns.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/control.h"
#include "mail/address.h"

struct pattern {
	struct str text; /* the line, without its '!' */
	regex_t expression;
	bool is_negated;
};

/* Makes room for one more. */
static int
grow(struct patterns *patterns)
{
	size_t room = patterns->room == 0 ? 16 : patterns->room * 2;
	struct pattern *all;

	if (patterns->count >= PATTERNS_MAX) {
		errno = EFBIG;
		return -1;
	}
	if (patterns->count < patterns->room)
		return 0;
	all = mem_try_alloc(room, sizeof(*all));
	if (all == NULL)
		return -1;
	for (size_t i = 0; i < patterns->count; i++)
		all[i] = patterns->all[i];
	free(patterns->all);
	patterns->all = all;
	patterns->room = room;
	return 0;
}

/* Compiles line into *pattern. False, with the cause, if that cannot be. */
static bool
compile(struct pattern *pattern, struct span line, struct str *cause)
{
	char text[128];
	int error;

	pattern->is_negated = line.s[0] == '!';
	if (span_find(line, '\0') != SPAN_NONE) {
		str_format(cause, "it holds a NUL");
		return false;
	}
	if (line.len > PATTERNS_LINE_MAX) {
		str_format(cause, "it is too long");
		return false;
	}
	str_copy(&pattern->text, span_from(line, pattern->is_negated));
	error = regcomp(&pattern->expression, pattern->text.s,
	    REG_EXTENDED | REG_ICASE | REG_NOSUB);
	if (error == 0)
		return true;
	(void)regerror(error, NULL, text, sizeof(text));
	str_format(cause, "%s", text);
	return false;
}

bool
pattern_is_valid(struct span line, struct str *cause)
{
	struct pattern pattern = {.text = STR_INIT};
	bool is_valid = compile(&pattern, line, cause);

	if (is_valid)
		regfree(&pattern.expression);
	str_free(&pattern.text);
	return is_valid;
}

static int
add_line(struct patterns *patterns, struct span line, struct str *cause)
{
	struct pattern *pattern;

	if (grow(patterns) == -1)
		return -1;
	pattern = &patterns->all[patterns->count];
	*pattern = (struct pattern){.text = STR_INIT};
	if (!compile(pattern, line, cause)) {
		str_free(&pattern->text);
		errno = EINVAL;
		return -1;
	}
	patterns->count++;
	return 0;
}

int
patterns_load(struct patterns *patterns, const char *path, struct str *trouble)
{
	struct str text = STR_INIT, cause = STR_INIT;
	struct span rest, line;
	size_t number = 0;
	int result = 0, error;

	if (control_read(path, &text) == -1) {
		error = errno;
		str_free(&text);
		errno = error;
		return error == ENOENT ? 0 : -1;
	}
	rest = str_span(&text);
	while (rest.len > 0 && result == 0) {
		size_t end = span_find(rest, '\n');

		line = end == SPAN_NONE ? rest : span_until(rest, end);
		rest = span_from(rest, end == SPAN_NONE ? rest.len : end + 1);
		number++;
		line = span_trim_right(line);
		if (line.len > 0 && line.s[0] != '#')
			result = add_line(patterns, line, &cause);
	}
	error = errno;
	if (result == -1 && error == EINVAL)
		str_format(trouble, "%s: line %zu: %s", path, number, cause.s);
	str_free(&text);
	str_free(&cause);
	errno = error;
	return result;
}

/* The line as a plain address, or as "@domain". */
static bool
is_literally(const struct pattern *pattern, struct span text)
{
	struct span own = str_span(&pattern->text);
	size_t at = address_at(text);

	return span_equal_nocase(own, text) ||
	    (at != SPAN_NONE && span_equal_nocase(own, span_from(text, at)));
}

bool
patterns_match(const struct patterns *patterns, const struct str *text)
{
	for (size_t i = 0; i < patterns->count; i++) {
		const struct pattern *pattern = &patterns->all[i];
		bool found = is_literally(pattern, str_span(text)) ||
		    regexec(&pattern->expression, text->s, 0, NULL, 0) == 0;

		if (found != pattern->is_negated)
			return true;
	}
	return false;
}

void
patterns_free(struct patterns *patterns)
{
	for (size_t i = 0; i < patterns->count; i++) {
		str_free(&patterns->all[i].text);
		regfree(&patterns->all[i].expression);
	}
	free(patterns->all);
	*patterns = (struct patterns)PATTERNS_INIT;
}
