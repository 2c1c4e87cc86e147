/*
 * rcpthosts, its database (a list, compiled here), or without both locals and
 * virtualdomains; against a slow look-up. The first byte chooses which are
 * there.
 */
#include "../fuzz.h"

#include "base/cdb.h"
#include "conf/rcpthosts.h"
#include "mail/address.h"

/* True if a line of list is the domain, or a suffix of it with its dot. */
static bool
lists(struct span list, struct span domain)
{
	while (list.len > 0) {
		struct span line = span_trim_right(fuzz_until(&list, '\n'));
		size_t cut;

		if (line.len == 0 || line.s[0] == '#' || line.len > domain.len)
			continue;
		cut = domain.len - line.len;
		if ((cut == 0 || line.s[0] == '.') &&
		    span_equal_nocase(span_from(domain, cut), line))
			return true;
	}
	return false;
}

static void
compile(struct span list)
{
	int fd =
	    open("control/morercpthosts.cdb", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct cdb_writer writer;

	require(fd != -1);
	cdb_writer_open(&writer, fd);
	while (list.len > 0) {
		struct span line = span_trim_right(fuzz_until(&list, '\n'));
		struct str key = STR_INIT;

		for (size_t i = 0; i < line.len; i++)
			str_append_char(&key, span_lower(line.s[i]));
		if (line.len > 0 && line.s[0] != '#')
			require(cdb_writer_add(&writer, str_span(&key),
				    (struct span){"", 0}) == 0);
		str_free(&key);
	}
	require(cdb_writer_finish(&writer) == 0);
	cdb_writer_free(&writer);
	require(close(fd) == 0);
}

static void
prepare(const char *path, bool there, struct span text)
{
	if (there)
		fuzz_write_file(path, text);
	else
		(void)unlink(path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, list, more, domain;
	struct rcpthosts hosts = RCPTHOSTS_INIT;
	unsigned char flags = fuzz_byte(&input);
	int allowed;

	fuzz_enter_directory();
	fuzz_make_directory("control");
	list = fuzz_until(&input, '\0');
	more = fuzz_until(&input, '\0');
	prepare("control/rcpthosts", flags & 1, list);
	prepare("control/locals", flags & 2, list);
	prepare("control/virtualdomains", flags & 4, more);
	if (flags & 8)
		compile(more);
	else
		(void)unlink("control/morercpthosts.cdb");
	require(rcpthosts_load(&hosts) == 0);
	domain = address_domain(input);
	allowed = rcpthosts_allows(&hosts, input);
	require(allowed == 0 || allowed == 1);
	if (address_at(input) == SPAN_NONE) {
		require(allowed == 1);
	} else if (flags & 1) {
		bool want =
		    lists(list, domain) || ((flags & 8) && lists(more, domain));

		/* a domain is there if it has any byte */
		require(allowed == (want && domain.len > 0));
	} else if (!(flags & 6)) {
		require(allowed == 0); /* never an open relay */
	}
	rcpthosts_free(&hosts);
	return 0;
}
