/* the lines a delivery adds and the variables it sets */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "local/delivery_env.h"

struct line_row {
	const char *what, *sender, *rpline, *ufline;
};

static const struct line_row line_rows[] = {
    {"a space is quoted in one and a dash in the other", "s a@x",
	"Return-Path: <\"s a\"@x>\n", "From s-a@x Sun Nov 22 18:43:49 2026\n"},
    {"a tab too", "s\ta b@x", "Return-Path: <\"s\ta b\"@x>\n",
	"From s-a-b@x Sun Nov 22 18:43:49 2026\n"},
    {"two dots need quotes", "a..b@x", "Return-Path: <\"a..b\"@x>\n",
	"From a..b@x Sun Nov 22 18:43:49 2026\n"},
    {"the sender of double bounces", "#@[]", "Return-Path: <#@[]>\n",
	"From #@[] Sun Nov 22 18:43:49 2026\n"},
    {"the null sender", "", "Return-Path: <>\n",
	"From MAILER-DAEMON Sun Nov 22 18:43:49 2026\n"},
    {"no line can be forged", "a\nb@x", "Return-Path: <\"a\\_b\"@x>\n",
	"From a-b@x Sun Nov 22 18:43:49 2026\n"},
};

static void
makes_lines(void **state)
{
	struct str line = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(line_rows); i++) {
		struct span sender = span_of(line_rows[i].sender);

		print_message("%s\n", line_rows[i].what);
		str_clear(&line);
		delivery_append_rpline(&line, sender);
		assert_string_equal(line.s, line_rows[i].rpline);
		str_clear(&line);
		delivery_append_ufline(&line, sender, 1795373029);
		assert_string_equal(line.s, line_rows[i].ufline);
	}
	str_clear(&line);
	delivery_append_dtline(&line, span_of("j\"o\nx"), span_of("h"));
	assert_string_equal(line.s, "Delivered-To: j\"o_x@h\n");
	str_free(&line);
}

struct part_row {
	const char *what, *input;
	const char *want[3]; /* EXT2..4 or HOST2..4 */
};

static const struct part_row exts[] = {
    {"no dash", "list", {"", "", ""}},
    {"one dash", "list-sub", {"sub", "", ""}},
    {"a dash at the end", "list-Sub.X-", {"Sub.X-", "", ""}},
    {"two dashes", "a-b-c", {"b-c", "c", ""}},
    {"two, one at the end", "a-b-", {"b-", "", ""}},
    {"four dashes", "x-y-z-w-v", {"y-z-w-v", "z-w-v", "w-v"}},
    {"nothing", "", {"", "", ""}},
};

static const struct part_row hosts[] = {
    {"five labels", "a.b.c.d.example", {"a.b.c.d", "a.b.c", "a.b"}},
    {"one label stays", "example", {"example", "example", "example"}},
    {"dots run out", "a.b.c", {"a.b", "a", "a"}},
    {"nothing", "", {"", "", ""}},
};

static void
check_parts(const struct part_row *rows, size_t count,
    struct span (*part)(struct span, unsigned))
{
	for (size_t i = 0; i < count; i++) {
		print_message("%s\n", rows[i].what);
		for (unsigned n = 0; n < 3; n++) {
			struct span got = part(span_of(rows[i].input), n + 1);

			assert_true(span_is(got, rows[i].want[n]));
		}
	}
}

static void
cuts_extension_and_host(void **state)
{
	(void)state;
	check_parts(exts, COUNT(exts), delivery_ext);
	check_parts(hosts, COUNT(hosts), delivery_host);
}

static const char *
look_up(char *const *vars, const char *name)
{
	const char *found = NULL;
	size_t len = strlen(name);

	for (; *vars != NULL; vars++) {
		if (strncmp(*vars, name, len) == 0 && (*vars)[len] == '=') {
			assert_null(found); /* twice */
			found = *vars + len + 1;
		}
	}
	return found;
}

struct var_row {
	const char *name, *want;
};

static const struct var_row vars[] = {
    {"PATH", "/bin"},
    {"odd", "1"},
    {"HOME", "/home/joe"},
    {"USER", "joe"},
    {"LOCAL", "joe-a-b"},
    {"HOST", "a.b.c"},
    {"HOST2", "a.b"},
    {"HOST3", "a"},
    {"HOST4", "a"},
    {"EXT", "a-b"},
    {"EXT2", "b"},
    {"EXT3", ""},
    {"EXT4", ""},
    {"RECIPIENT", "joe-a-b@a.b.c"},
    {"SENDER", " () { :;}; x@y"},
    {"NEWSENDER", "n"},
    {"DTLINE", "d\n"},
    {"RPLINE", "r\n"},
    {"UFLINE", "u\n"},
};

static void
builds_the_environment(void **state)
{
	static char path[] = "PATH=/bin", home[] = "HOME=/root",
		    inherited_default[] = "DEFAULT=old", odd[] = "odd=1",
		    no_value[] = "HOST";
	char *inherited[] = {
	    path, home, inherited_default, odd, no_value, NULL};
	struct local_job job = {.user = span_of("joe"),
	    .homedir = span_of("/home/joe"),
	    .local = span_of("joe-a-b"),
	    .dash = span_of("-"),
	    .ext = span_of("a-b"),
	    .domain = span_of("a.b.c"),
	    .sender = span_of("() { :;}; x@y")};
	struct delivery_facts facts = {.job = &job,
	    .dtline = span_of("d\n"),
	    .rpline = span_of("r\n"),
	    .ufline = span_of("u\n"),
	    .newsender = span_of("n")};
	struct delivery_env env = DELIVERY_ENV_INIT;

	(void)state;
	delivery_env_build(&env, &facts, inherited);
	for (size_t i = 0; i < COUNT(vars); i++) {
		print_message("%s\n", vars[i].name);
		assert_string_equal(
		    look_up(env.vars, vars[i].name), vars[i].want);
	}
	assert_string_equal(look_up(env.vars, "DEFAULT"), "old");

	facts.has_default = true;
	facts.default_part = span_of("b");
	delivery_env_build(&env, &facts, inherited);
	assert_string_equal(look_up(env.vars, "DEFAULT"), "b");

	/* the next job: nothing of the last one is left */
	facts.has_default = false;
	inherited[2] = odd;
	inherited[3] = NULL;
	delivery_env_build(&env, &facts, inherited);
	assert_null(look_up(env.vars, "DEFAULT"));
	delivery_env_free(&env);
}

static const struct var_row guarded[] = {
    {"() {", " () {"},
    {" () { x", "  () { x"},
    {"(){", "(){"},
    {"a() {", "a() {"},
    {" ", " "},
    {"", ""},
};

static void
guards_against_functions(void **state)
{
	char *inherited[] = {NULL};
	struct local_job job = {.user = span_of("joe")};
	struct delivery_facts facts = {.job = &job};
	struct delivery_env env = DELIVERY_ENV_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(guarded); i++) {
		const char *value;

		facts.newsender = span_of(guarded[i].name);
		delivery_env_build(&env, &facts, inherited);
		value = look_up(env.vars, "NEWSENDER");
		assert_string_equal(value, guarded[i].want);
		assert_string_equal(delivery_env_plain(value), guarded[i].name);
	}
	delivery_env_free(&env);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(makes_lines),
	    cmocka_unit_test(cuts_extension_and_host),
	    cmocka_unit_test(builds_the_environment),
	    cmocka_unit_test(guards_against_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
