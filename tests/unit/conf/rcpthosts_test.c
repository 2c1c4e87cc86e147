/* whose mail is taken, with control/rcpthosts and without it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "conf/rcpthosts.h"

static void
write_file(const char *name, const char *text)
{
	FILE *file;

	if (text == NULL) {
		(void)unlink(name);
		return;
	}
	file = fopen(name, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void
write_cdb(const char *const *keys)
{
	struct cdb_writer writer;
	int fd = open("control/morercpthosts.cdb",
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_not_equal(fd, -1);
	cdb_writer_open(&writer, fd);
	for (; *keys != NULL; keys++)
		assert_int_equal(cdb_writer_add(&writer, span_of(*keys),
				     (struct span){"", 0}),
		    0);
	assert_int_equal(cdb_writer_finish(&writer), 0);
	cdb_writer_free(&writer);
	close(fd);
}

static const char listed[] = "one.example\n.below.example\n#no.example\n";
static const char locals[] = "Local.example\n";
static const char virtuals[] = "v.example:v\n.w.example:w\nx.w.example:\n"
			       "me@p.example:p\nlocal.example:\n:all\n";

static const struct {
	const char *what, *rcpthosts, *locals, *virtuals, *recipient;
	int want;
} rows[] = {
    {"a listed domain", listed, NULL, NULL, "a@one.example", 1},
    {"in another case", listed, NULL, NULL, "a@ONE.example", 1},
    {"below a listed domain", listed, NULL, NULL, "a@x.one.example", 0},
    {"the end of a listed domain", listed, NULL, NULL, "a@ne.example", 0},
    {"below a suffix", listed, NULL, NULL, "a@x.y.below.example", 1},
    {"the suffix itself", listed, NULL, NULL, "a@below.example", 0},
    {"with an empty label", listed, NULL, NULL, "a@.below.example", 1},
    {"a comment", listed, NULL, NULL, "a@no.example", 0},
    {"in the cdb", listed, NULL, NULL, "a@More.example", 1},
    {"below a suffix in the cdb", listed, NULL, NULL, "a@x.less.example", 1},
    {"that suffix itself", listed, NULL, NULL, "a@less.example", 0},
    {"the last '@' counts", listed, NULL, NULL, "a@one.example@b", 0},
    {"an empty domain", listed, NULL, NULL, "a@", 0},
    {"no domain", listed, NULL, NULL, "a", 1},
    {"nothing", listed, NULL, NULL, "", 1},
    {"an empty list", "", locals, virtuals, "a@local.example", 0},
    {"an empty list, and no domain", "", NULL, NULL, "a", 1},
    {"locals are not looked at", listed, locals, virtuals, "a@v.example", 0},
    {"without the list, a local domain", NULL, locals, virtuals,
	"a@LOCAL.example", 1},
    {"below a local domain", NULL, locals, virtuals, "a@x.local.example", 0},
    {"a virtual domain", NULL, locals, virtuals, "a@V.example", 1},
    {"below a virtual suffix", NULL, locals, virtuals, "a@y.w.example", 1},
    {"an exception from it", NULL, locals, virtuals, "a@x.w.example", 0},
    {"below the exception, the suffix again", NULL, locals, virtuals,
	"a@z.x.w.example", 1},
    {"a virtual user", NULL, locals, virtuals, "Me@p.example", 1},
    {"another user there", NULL, locals, virtuals, "you@p.example", 0},
    {"the empty key is no open door", NULL, locals, virtuals, "a@q.example", 0},
    {"nor for an empty domain", NULL, locals, virtuals, "a@", 0},
    {"the cdb alone does not count", NULL, locals, virtuals, "a@more.example",
	0},
    {"no domain is local", NULL, locals, virtuals, "a", 1},
    {"without locals, me", NULL, NULL, NULL, "a@me.example", 1},
    {"an empty locals is not me", NULL, "", NULL, "a@me.example", 0},
};

static void
decides_rows(void **state)
{
	static const char *const keys[] = {
	    "more.example", ".less.example", NULL};

	(void)state;
	write_file("control/me", "me.example \nsecond.example\n");
	write_cdb(keys);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rcpthosts hosts = RCPTHOSTS_INIT;
		int got;

		write_file("control/rcpthosts", rows[i].rcpthosts);
		write_file("control/locals", rows[i].locals);
		write_file("control/virtualdomains", rows[i].virtuals);
		assert_int_equal(rcpthosts_load(&hosts), 0);
		assert_int_equal(hosts.is_missing, rows[i].rcpthosts == NULL);
		got = rcpthosts_allows(&hosts, span_of(rows[i].recipient));
		if (got != rows[i].want)
			fail_msg("%s: got %d", rows[i].what, got);
		/* and once more, with what is open by now */
		got = rcpthosts_allows(&hosts, span_of(rows[i].recipient));
		assert_int_equal(got, rows[i].want);
		rcpthosts_free(&hosts);
	}
}

static void
tells_trouble(void **state)
{
	struct rcpthosts hosts = RCPTHOSTS_INIT;

	(void)state;
	write_file("control/rcpthosts", "one.example\n");
	write_file("control/morercpthosts.cdb", "short");
	assert_int_equal(rcpthosts_load(&hosts), 0);
	assert_int_equal(rcpthosts_allows(&hosts, span_of("a@one.example")), 1);
	assert_int_equal(
	    rcpthosts_allows(&hosts, span_of("a@two.example")), -1);
	rcpthosts_free(&hosts);
	write_file("control/morercpthosts.cdb", NULL);
	write_file("control/rcpthosts", NULL);
	assert_int_equal(mkdir("control/rcpthosts", 0700), 0);
	assert_int_equal(rcpthosts_load(&hosts), -1);
	rcpthosts_free(&hosts);
	assert_int_equal(rmdir("control/rcpthosts"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decides_rows),
	    cmocka_unit_test(tells_trouble),
	};
	static const char *const files[] = {"me", "locals", "virtualdomains"};
	char dir[] = "/tmp/rcpthosts-XXXXXX", path[64];
	int failed;

	if (mkdtemp(dir) == NULL || chdir(dir) == -1 ||
	    mkdir("control", 0700) == -1)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t i = 0; i < COUNT(files); i++) {
		(void)snprintf(path, sizeof(path), "control/%s", files[i]);
		(void)unlink(path);
	}
	(void)rmdir("control");
	(void)rmdir(dir);
	return failed;
}
