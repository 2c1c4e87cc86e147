/* address_list, rewrite and token: the table of inputs and outputs */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mail/address_list.h"
#include "mail/token.h"

enum {
	FAULT = -1
};

static struct rewrite rules = REWRITE_INIT;

/* Parses "To:" + in; *shown and *envelope (joined by '|') are replaced. */
static int
parse(const char *in, struct str *shown, struct str *envelope)
{
	struct address_list list = ADDRESS_LIST_INIT;
	int result;

	str_clear(shown);
	str_clear(envelope);
	result = address_list_parse(&list, shown, 3, span_of(in), &rules);
	for (size_t i = 0; i < list.count; i++) {
		if (i > 0)
			str_append_char(envelope, '|');
		str_append_char(envelope, '<');
		str_append_span(envelope, address_list_get(&list, i));
		str_append_char(envelope, '>');
	}
	address_list_free(&list);
	return result;
}

static const struct {
	const char *what, *in, *shown, *envelope; /* shown NULL: a fault */
} rows[] = {
    {"a word gets the default host and that the default domain", " joe",
	" joe@dh.dd.example", "<joe@dh.dd.example>"},
    {"a host without a dot gets the default domain", " joe@host",
	" joe@host.dd.example", "<joe@host.dd.example>"},
    {"a full name stays", " joe@host.dom", " joe@host.dom", "<joe@host.dom>"},
    {"a host with plus gets the plus domain", " joe@host+",
	" joe@host.pd.example", "<joe@host.pd.example>"},
    {"a plus behind a dot too", " joe@a.b+", " joe@a.b.pd.example",
	"<joe@a.b.pd.example>"},
    {"a plus alone is a host too", " joe@+", " joe@.pd.example",
	"<joe@.pd.example>"},
    {"a plus at the end of a user is no host", " joe+", " joe+@dh.dd.example",
	"<joe+@dh.dd.example>"},
    {"a plus inside a user stays", " joe+ext", " joe+ext@dh.dd.example",
	"<joe+ext@dh.dd.example>"},
    {"a trailing dot goes before the default domain comes", " joe@host.",
	" joe@host.dd.example", "<joe@host.dd.example>"},
    {"a trailing dot of a full name goes", " joe@host.dom.", " joe@host.dom",
	"<joe@host.dom>"},
    {"a trailing at goes", " joe@", " joe@dh.dd.example",
	"<joe@dh.dd.example>"},
    {"a trailing dot of a user goes", " joe.", " joe@dh.dd.example",
	"<joe@dh.dd.example>"},
    {"a dot and an at at the end go both", " joe@.", " joe@dh.dd.example",
	"<joe@dh.dd.example>"},
    {"only one dot goes", " joe@host.dom..", " joe@host.dom.",
	"<joe@host.dom.>"},
    {"a dot inside a user is no domain", " first.last",
	" first.last@dh.dd.example", "<first.last@dh.dd.example>"},
    {"an at alone is nobody", " @", "", "<>"},
    {"a dot alone is nobody", " .", "", "<>"},
    {"a route without end is nobody", " @r1", "", "<>"},
    {"a route in brackets goes", " <@r1:joe@h>", " <joe@h.dd.example>",
	"<joe@h.dd.example>"},
    {"a route with commas in brackets goes", " <@r1,@r2:joe@h>",
	" <joe@h.dd.example>", "<joe@h.dd.example>"},
    {"a colon without a group is a fault", " @r1,@r2:joe@host", NULL,
	"<joe@host.dd.example>"},
    {"a literal stays", " joe@[1.2.3.4]", " joe@[1.2.3.4]", "<joe@[1.2.3.4]>"},
    {"the empty literal stays", " joe@[]", " joe@[]", "<joe@[]>"},
    {"an address of VERP stays", " x-@host-@[]", " x-@host-@[]",
	"<x-@host-@[]>"},
    {"a literal alone is a user", " [1.2.3.4]", " [1.2.3.4]@dh.dd.example",
	"<[1.2.3.4]@dh.dd.example>"},
    {"the last at decides", " a@b@c", " a@b@c.dd.example",
	"<a@b@c.dd.example>"},
    {"case stays", " JOE@Host", " JOE@Host.dd.example",
	"<JOE@Host.dd.example>"},
    {"spaces around at and dot vanish", " joe @ host . dom", " joe@host.dom",
	"<joe@host.dom>"},
    {"a percent sign is a byte of the user", " a%b@c", " a%b@c.dd.example",
	"<a%b@c.dd.example>"},
    {"a bang too", " a!b", " a!b@dh.dd.example", "<a!b@dh.dd.example>"},
    {"the envelope goes from right to left", " joe, mary",
	" joe@dh.dd.example, mary@dh.dd.example",
	"<mary@dh.dd.example>|<joe@dh.dd.example>"},
    {"a missing comma between words comes", " joe blow",
	" joe@dh.dd.example, blow@dh.dd.example",
	"<blow@dh.dd.example>|<joe@dh.dd.example>"},
    {"a missing comma between addresses comes", " joe@x mary@y",
	" joe@x.dd.example, mary@y.dd.example",
	"<mary@y.dd.example>|<joe@x.dd.example>"},
    {"an empty place between commas stays", " joe@x, ,mary@y",
	" joe@x.dd.example, , mary@y.dd.example",
	"<mary@y.dd.example>|<joe@x.dd.example>"},
    {"a comma at the end stays", " joe@x,", " joe@x.dd.example,",
	"<joe@x.dd.example>"},
    {"a quoted user loses its quotes in the envelope", " \"joe blow\"@h.d",
	" \"joe blow\"@h.d", "<joe blow@h.d>"},
    {"an escaped space is quoted, so that it stays a byte of the word",
	" joe\\ blow@x.y", " \"joe blow\"@x.y", "<joe blow@x.y>"},
    {"an escaped delimiter is quoted, so that it stays one", " a\\,b@x.y",
	" \"a,b\"@x.y", "<a,b@x.y>"},
    {"an escaped quote in quotes stays", " \"a\\\"b\"@x.y", " \"a\\\"b\"@x.y",
	"<a\"b@x.y>"},
    {"two dots stay", " joe..blow@x.y", " joe..blow@x.y", "<joe..blow@x.y>"},
    {"a leading dot stays", " .joe@x.y", " .joe@x.y", "<.joe@x.y>"},
    {"a phrase and brackets", " Joe Blow <joe>",
	" Joe Blow <joe@dh.dd.example>", "<joe@dh.dd.example>"},
    {"a quoted phrase", " \"Joe Q. Blow\" <joe@x.y>",
	" \"Joe Q. Blow\" <joe@x.y>", "<joe@x.y>"},
    {"a dot in a phrase loses its space", " Joe Q. Blow <joe@x.y>",
	" Joe Q.Blow <joe@x.y>", "<joe@x.y>"},
    {"nested parentheses are dropped", " joe@x.y (Joe (nested) Blow)",
	" joe@x.y (Joe nested Blow)", "<joe@x.y>"},
    {"a comment before an address comes behind it; literals keep escapes",
	" (c) \"q x\"@z.w, j@[1\\]2]", " \"q x\"@z.w (c), j@[1\\]2]",
	"<j@[1]2]>|<q x@z.w>"},
    {"a comment inside an address comes behind it", " a (c) @ b.c",
	" a@b.c (c)", "<a@b.c>"},
    {"comments around brackets stay", " (x) J <a@b.c> (y)", " (x) J <a@b.c>(y)",
	"<a@b.c>"},
    {"an address as a phrase", " joe@x.y <mary@z.w>", " joe@x.y <mary@z.w>",
	"<mary@z.w>"},
    {"brackets without a comma between them", " <joe@x> <mary@y>",
	" <joe@x.dd.example> <mary@y.dd.example>",
	"<mary@y.dd.example>|<joe@x.dd.example>"},
    {"empty brackets are the empty recipient", " <>", " <>", "<>"},
    {"a phrase with empty brackets", " Joe <>", " Joe <>", "<>"},
    {"a group", " group: joe, mary@x;",
	" group: joe@dh.dd.example, mary@x.dd.example;",
	"<mary@x.dd.example>|<joe@dh.dd.example>"},
    {"an empty group", " group:;", " group: ;", ""},
    {"two groups without a comma", " g: a@b.c; h: d@e.f;",
	" g: a@b.c;, h: d@e.f;", "<d@e.f>|<a@b.c>"},
    {"semicolons instead of commas are a fault", " a@x.y; b@x.y; c@d", NULL,
	"<c@d.dd.example>|<b@x.y>"},
    {"one semicolon too", " a@x.y; b@x.y", NULL, "<b@x.y>|<a@x.y>"},
    {"a colon without semicolon is a fault", " a: b@x.y, c@d.e", NULL,
	"<c@d.e>|<b@x.y>"},
    {"an open comment is a fault", " joe@x.y (unbalanced", NULL, ""},
    {"an open quote is a fault", " \"unbalanced joe", NULL, ""},
    {"an open literal is a fault", " a@[1.2", NULL, ""},
    {"a bracket without end is a fault", " joe <mary, bob", NULL,
	"<bob@dh.dd.example>|<mary@dh.dd.example>"},
    {"a bracket without start is a fault", " joe>, bob", NULL,
	"<bob@dh.dd.example>"},
    {"a lone parenthesis is a byte", " joe@x.y odd)",
	" joe@x.y, \"odd\\)\"@dh.dd.example", "<odd)@dh.dd.example>|<joe@x.y>"},
    {"bytes over 127 are quoted", " j\303\266rg@x.y", " \"j\303\266rg\"@x.y",
	"<j\303\266rg@x.y>"},
    {"bytes over 127 in a phrase too", " J\303\266rg M <j@x.y>",
	" \"J\303\266rg\" M <j@x.y>", "<j@x.y>"},
    {"an encoded word is a word", " =?utf-8?q?J=C3=B6?= <j@x.y>",
	" =?utf-8?q?J=C3=B6?= <j@x.y>", "<j@x.y>"},
    {"a folded field is unfolded", " a@b.c,\n\td@e.f", " a@b.c, d@e.f",
	"<d@e.f>|<a@b.c>"},
    {"CR is white space", " a@b.c,\r\n\td@e.f\r", " a@b.c, d@e.f",
	"<d@e.f>|<a@b.c>"},
    {"white space before is not needed", "a@b.c", " a@b.c", "<a@b.c>"},
    {"nothing is nobody", "", "", ""},
    {"only a comment is nobody", " (nobody)", " (nobody)", ""},
    {"escapes in a quoted string", " \"a(b[c)d]\"@x.y",
	" \"a\\(b\\[c\\)d\\]\"@x.y", "<a(b[c)d]@x.y>"},
    {"a backslash in a word is quoted", " a\\\\b@x.y", " \"a\\\\b\"@x.y",
	"<a\\b@x.y>"},
    {"a comment in brackets stays there", " J <a (c) @b.c>", " J <a@b.c (c)>",
	"<a@b.c>"},
    {"an address behind brackets is another one", " <a@b.c> d@e.f",
	" <a@b.c>, d@e.f", "<d@e.f>|<a@b.c>"},
    {"a line end in quotes cannot start a line", " \"a\\\n\"@b.c",
	" \"a \"@b.c", "<a\n@b.c>"},
    {"nor one that is escaped in a word", " a\\\n b@c.d",
	" a@dh.dd.example, b@c.d", "<b@c.d>|<a@dh.dd.example>"},
    {"a colon in brackets is a byte", " <mailto:a@b.c>", " <mailto:a@b.c>",
	"<mailto:a@b.c>"},
};

static void
test_table(void **state)
{
	struct str shown = STR_INIT, envelope = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int want = rows[i].shown != NULL ? 0 : FAULT;
		int got = parse(rows[i].in, &shown, &envelope);

		if (got != want || strcmp(envelope.s, rows[i].envelope) != 0 ||
		    strcmp(shown.s, want == 0 ? rows[i].shown : "") != 0)
			fail_msg("%s: %d [%s] [%s]", rows[i].what, got, shown.s,
			    envelope.s);
	}
	str_free(&shown);
	str_free(&envelope);
}

/* What was written once is not changed by being read again. */
static void
test_rewriting_twice_changes_nothing(void **state)
{
	struct str once = STR_INIT, twice = STR_INIT, envelope = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		/* of several trailing dots each rewriting takes one */
		if (strstr(rows[i].in, "dom..") != NULL ||
		    parse(rows[i].in, &once, &envelope) == -1)
			continue;
		assert_int_equal(parse(once.s, &twice, &envelope), 0);
		if (strcmp(once.s, twice.s) != 0)
			fail_msg(
			    "%s: [%s] [%s]", rows[i].what, once.s, twice.s);
	}
	str_free(&once);
	str_free(&twice);
	str_free(&envelope);
}

static void
append_repeated(struct str *to, char byte, size_t count)
{
	for (size_t i = 0; i < count; i++)
		str_append_char(to, byte);
}

static void
test_folding(void **state)
{
	struct str in = STR_INIT, shown = STR_INIT, envelope = STR_INIT;

	(void)state;
	/* "To: " 4, "@x.y, " 6, "@x.y" 4 */
	for (size_t extra = 0; extra < 2; extra++) {
		str_clear(&in);
		append_repeated(&in, 'a', 30);
		str_append_cstr(&in, "@x.y,");
		append_repeated(&in, 'b', 34 + extra);
		str_append_cstr(&in, "@x.y");
		assert_int_equal(parse(in.s, &shown, &envelope), 0);
		assert_int_equal(shown.len, (extra ? 4 : 2) + in.len);
		assert_memory_equal(
		    shown.s + 36, extra ? "\n  b" : " bb", extra ? 4 : 3);
	}
	/* a comma behind the second address counts */
	str_clear(&in);
	append_repeated(&in, 'a', 30);
	str_append_cstr(&in, "@x.y,");
	append_repeated(&in, 'b', 34);
	str_append_cstr(&in, "@x.y,c@d.e");
	assert_int_equal(parse(in.s, &shown, &envelope), 0);
	assert_memory_equal(shown.s + 35, ",\n  bbb", 7);
	/* addresses that are too long each have a line */
	str_clear(&in);
	for (char name = 'a'; name <= 'c'; name++) {
		append_repeated(&in, name, 100);
		str_append_cstr(&in, name < 'c' ? "@x.y," : "@x.y");
	}
	assert_int_equal(parse(in.s, &shown, &envelope), 0);
	assert_int_equal(shown.s[1], 'a');
	assert_memory_equal(shown.s + 1 + 105, "\n  b", 4);
	assert_memory_equal(shown.s + 1 + 105 + 3 + 105, "\n  c", 4);
	str_free(&in);
	str_free(&shown);
	str_free(&envelope);
}

/* Random addresses: what is written for one reads as the same one. */
static void
test_random_addresses_come_back(void **state)
{
	static const char bytes[] = "ab.@ \"\\()<>[]:;,+-%!\t\303\266";
	struct str in = STR_INIT, shown = STR_INIT, again = STR_INIT;
	struct str first = STR_INIT, second = STR_INIT;
	uint32_t seed = 12345;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		str_clear(&in);
		for (int i = 0; i < 12; i++) {
			seed = seed * 1664525u + 1013904223u;
			str_append_char(
			    &in, bytes[(seed >> 16) % (sizeof(bytes) - 1)]);
		}
		str_clear(&shown);
		token_append_escaped(&shown, '"', str_span(&in), '"');
		str_append_cstr(&shown, "@h.example");
		str_append_cstr(&in, "@h.example>");
		assert_int_equal(parse(shown.s, &again, &first), 0);
		assert_string_equal(again.s + 1, shown.s);
		assert_string_equal(first.s + 1, in.s);
	}
	str_free(&in);
	str_free(&shown);
	str_free(&again);
	str_free(&first);
	str_free(&second);
}

/* Random bodies: written once, they stay as they are. */
static void
test_random_bodies_are_stable(void **state)
{
	static const char *const parts[] = {"joe", "joe@x", "a.b@c.d", "(c)",
	    ",", "<a@b>", "\"q x\"", "[1.2]", ":", ";", "g:", " ", "x+",
	    "\303\266", "<", ">", "<@r:", "(a(b))", "\\\\", "]", "a\\,b", "\n ",
	    "<>", "a (d) .b"};
	struct str in = STR_INIT, shown = STR_INIT, again = STR_INIT;
	struct str first = STR_INIT, second = STR_INIT;
	uint32_t seed = 54321;
	int good = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		str_clear(&in);
		for (int i = 0; i < 1 + round % 8; i++) {
			seed = seed * 1664525u + 1013904223u;
			str_append_cstr(
			    &in, parts[(seed >> 16) % COUNT(parts)]);
		}
		if (parse(in.s, &shown, &first) == -1)
			continue;
		good++;
		assert_int_equal(parse(shown.s, &again, &second), 0);
		if (strcmp(again.s, shown.s) != 0 ||
		    strcmp(first.s, second.s) != 0)
			fail_msg("[%s] [%s] [%s] [%s] [%s]", in.s, shown.s,
			    again.s, first.s, second.s);
	}
	assert_true(good > 5000);
	str_free(&in);
	str_free(&shown);
	str_free(&again);
	str_free(&first);
	str_free(&second);
}

static void
test_plain_addresses(void **state)
{
	static const struct {
		const char *what, *in, *want;
	} plain[] = {
	    {"a word gets the default host", "snd", "snd@dh.dd.example"},
	    {"a plus domain", "s@h+", "s@h.pd.example"},
	    {"VERP stays", "x-@host-@[]", "x-@host-@[]"},
	    {"a space is a byte", "x y@z", "x y@z.dd.example"},
	    {"brackets are bytes", "<x@y.z>", "<x@y.z>"},
	    {"quotes are bytes", "\"a\"@b.c", "\"a\"@b.c"},
	    {"commas are bytes", "x@y.z,q@r.s", "x@y.z,q@r.s"},
	    {"a route is no route", "@r:x@y.z", "@r:x@y.z"},
	    {"nothing stays nothing", "", ""},
	    {"a trailing at goes", "x@", "x@dh.dd.example"},
	    {"a trailing dot goes", "x@y.z.", "x@y.z"},
	    {"a literal stays", "x@[1.2.3.4]", "x@[1.2.3.4]"},
	    {"a literal without dots too", "x@[::1]", "x@[::1]"},
	    {"a user may end in a plus", "x+", "x+@dh.dd.example"},
	};
	struct str out = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(plain); i++) {
		str_clear(&out);
		rewrite_append_plain(&out, &rules, span_of(plain[i].in));
		if (strcmp(out.s, plain[i].want) != 0)
			fail_msg("%s: [%s]", plain[i].what, out.s);
	}
	str_free(&out);
}

static void
test_default_host_is_completed_itself(void **state)
{
	static const struct {
		const char *host, *want;
	} hosts[] = {
	    {"h", "@h.dd.example"},
	    {"h.i", "@h.i"},
	    {"h+", "@h.pd.example"},
	    {"[1.2.3.4]", "@[1.2.3.4]"},
	    {"a\nb.c", "@a?b.c"},
	};
	struct rewrite other = REWRITE_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(hosts); i++) {
		rewrite_set(&other, span_of(hosts[i].host),
		    span_of("dd.example"), span_of("pd.example"));
		assert_string_equal(other.host.s, hosts[i].want);
	}
	rewrite_free(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_rewriting_twice_changes_nothing),
	    cmocka_unit_test(test_folding),
	    cmocka_unit_test(test_random_addresses_come_back),
	    cmocka_unit_test(test_random_bodies_are_stable),
	    cmocka_unit_test(test_plain_addresses),
	    cmocka_unit_test(test_default_host_is_completed_itself),
	};
	int failed;

	rewrite_set(&rules, SPAN_LITERAL("dh"), SPAN_LITERAL("dd.example"),
	    SPAN_LITERAL("pd.example"));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rewrite_free(&rules);
	return failed;
}
