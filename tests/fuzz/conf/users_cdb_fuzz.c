/*
 * users/cdb of any bytes: made from an assign file (up to a 0xff byte), with
 * some bytes changed; and raw. A look-up ends, and gives an entry within its
 * limit or an error; unchanged, the entry belongs to the longest rule that
 * fits.
 */
#include "../fuzz.h"

#include "conf/users.h"

static void
look_up(struct span local)
{
	struct str found = STR_INIT;
	struct users_entry entry;
	int result = users_find("cdb", local, &found);

	require(result >= -1 && result <= 1);
	if (result == 1) {
		require(found.len <= USERS_DATA_MAX);
		if (users_parse_entry(str_span(&found), &entry) == 0)
			require(entry.ext.len <= found.len);
	}
	str_free(&found);
}

/* The first line that gives local exactly, or starts it with the most bytes. */
static bool
find_rule(struct span assign, struct span local, struct span *rule)
{
	size_t best = 0;
	bool found = false;

	while (assign.len > 0 && assign.s[0] != '.') {
		struct span line = fuzz_until(&assign, '\n'), rest = line;
		struct span name = fuzz_until(&rest, ':');
		bool exact = name.len > 0 && name.s[0] != '+';

		name = span_from(name, 1);
		if (exact ? !span_equal_nocase(name, local)
			  : (name.len > local.len ||
				!span_equal_nocase(
				    name, span_until(local, name.len))))
			continue;
		/* an exact rule beats all others */
		if (!found || name.len + (exact ? 10000 : 0) > best) {
			best = name.len + (exact ? 10000 : 0);
			*rule = rest;
			found = true;
		}
	}
	return found;
}

static void
check_whole(struct span assign, struct span local)
{
	struct str found = STR_INIT;
	struct span rule, data;
	bool there = find_rule(assign, local, &rule);
	int result = users_find("cdb", local, &found);

	if (found.len > USERS_DATA_MAX)
		goto done;
	require(result == there);
	/* field by field, all but the last of which grows by what is left */
	data = str_span(&found);
	for (int i = 0; there && i < 5; i++)
		require(span_equal(
		    fuzz_until(&data, '\0'), fuzz_until(&rule, ':')));
	if (there) {
		struct span ext = fuzz_until(&rule, ':');

		require(data.len >= ext.len &&
		    span_equal(ext, span_until(data, ext.len)));
	}
done:
	str_free(&found);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, assign, local;
	struct cdb_writer writer;
	size_t line;
	int fd, compiled;

	fuzz_enter_directory();
	local = fuzz_until(&input, '\0');
	local = fuzz_some(&local, 100);
	fuzz_write_file("cdb", input);
	look_up(local);
	assign = fuzz_until(&input, '\377');
	fd = open("cdb", O_RDWR | O_TRUNC);
	require(fd != -1);
	cdb_writer_open(&writer, fd);
	compiled = users_compile(assign, &writer, &line);
	if (compiled == USERS_OK)
		require(cdb_writer_finish(&writer) == 0);
	cdb_writer_free(&writer);
	if (compiled == USERS_OK) {
		off_t end = lseek(fd, 0, SEEK_END);

		check_whole(assign, local);
		while (input.len > 1) {
			char byte = (char)fuzz_byte(&input);
			off_t at = (off_t)(fuzz_number(&input) >> 40) % end;

			require(pwrite(fd, &byte, 1, at) == 1);
		}
		look_up(local);
	}
	require(close(fd) == 0);
	return 0;
}
