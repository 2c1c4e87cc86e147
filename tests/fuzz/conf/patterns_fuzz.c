/*
 * The lines of badmailfrom and its like, up to a NUL, and an address. Without
 * what libc reads without a limit ('{') or matches in more than polynomial
 * time (a backslash and a digit).
 */
#include "../fuzz.h"

#include "conf/patterns.h"
#include "mail/address.h"

/* A line of letters, digits, '@' and '-' only is found as it stands. */
static bool
is_plain(struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		char byte = span_lower(line.s[i]);

		if (!(byte >= 'a' && byte <= 'z') &&
		    !(byte >= '0' && byte <= '9') && byte != '@' && byte != '-')
			return false;
	}
	return line.len > 0;
}

static bool
contains(struct span text, struct span part)
{
	for (size_t i = 0; i + part.len <= text.len; i++) {
		if (span_equal_nocase(
			span_until(span_from(text, i), part.len), part))
			return true;
	}
	return false;
}

static void
check(const struct patterns *patterns, struct span lines, struct span address)
{
	struct str text = STR_INIT;
	bool found, want = false, is_sure = true;

	str_copy(&text, address);
	found = patterns_match(patterns, &text);
	while (lines.len > 0) {
		struct span line = span_trim_right(fuzz_until(&lines, '\n'));
		bool negated = line.len > 0 && line.s[0] == '!';
		struct span plain = span_from(line, negated);

		if (line.len == 0 || line.s[0] == '#')
			continue;
		if (is_plain(plain))
			want = want || contains(address, plain) != negated;
		else if (span_equal_nocase(plain, address))
			want = want || !negated;
		else
			is_sure = false;
	}
	require(found || !want);
	require(!found || want || !is_sure);
	str_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, lines;
	struct patterns patterns = PATTERNS_INIT;
	struct str trouble = STR_INIT;

	lines = fuzz_until(&input, '\0');
	if (lines.len > 100 || fuzz_is_for_libc(lines))
		return 0;
	input = fuzz_until(&input, '\0');
	input = fuzz_some(&input, 100);
	fuzz_enter_directory();
	fuzz_write_file("patterns", lines);
	if (patterns_load(&patterns, "patterns", &trouble) == 0)
		check(&patterns, lines, input);
	else
		require(trouble.len > 0);
	patterns_free(&patterns);
	str_free(&trouble);
	return 0;
}
