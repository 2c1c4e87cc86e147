/* address: splitting, quoting, SMTP paths, addresses in logs */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "mail/address.h"

static void
test_splitting(void **state)
{
	static const struct {
		const char *in, *local, *domain;
	} rows[] = {
	    {"a@b", "a", "b"},
	    {"a@b@c", "a@b", "c"},
	    {"a", "a", ""},
	    {"", "", ""},
	    {"@", "", ""},
	    {"a@", "a", ""},
	    {"@b", "", "b"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct span in = span_of(rows[i].in);

		if (!span_is(address_local(in), rows[i].local) ||
		    !span_is(address_domain(in), rows[i].domain))
			fail_msg("%s", rows[i].in);
	}
	assert_true(address_at(SPAN_LITERAL("a")) == SPAN_NONE);
	assert_int_equal(address_at(SPAN_LITERAL("a@b@c")), 3);
}

static void
test_quoting(void **state)
{
	static const struct {
		const char *what, *in, *want;
	} rows[] = {
	    {"a plain address", "joe.blow+x@h.d", "joe.blow+x@h.d"},
	    {"nothing stays nothing", "", ""},
	    {"an empty local part", "@h", "\"\"@h"},
	    {"a space", "a b@h", "\"a b\"@h"},
	    {"a tab", "a\tb@h", "\"a\tb\"@h"},
	    {"a quote and a backslash are escaped", "a\"\\@h",
		"\"a\\\"\\\\\"@h"},
	    {"CR and LF are escaped", "a\r\nb@h", "\"a\\\r\\\nb\"@h"},
	    {"a control byte", "a\001@h", "\"a\001\"@h"},
	    {"DEL", "a\177@h", "\"a\177\"@h"},
	    {"a byte over 127", "\303\266@h", "\"\303\266\"@h"},
	    {"a dot at the start", ".a@h", "\".a\"@h"},
	    {"a dot at the end", "a.@h", "\"a.\"@h"},
	    {"two dots in a row", "a..b@h", "\"a..b\"@h"},
	    {"an at sign", "a@b@h", "\"a@b\"@h"},
	    {"no domain", "a b", "\"a b\""},
	    {"no domain and no need", "postmaster", "postmaster"},
	    {"the mark of double bounces", "#@[]", "#@[]"},
	    {"the domain is not looked at", "a@h h", "a@h h"},
	};
	static const char need[] = "(),:;<>@[]\"\\";
	static const char none[] = "!#$%&'*+-/=?^_`{|}~azAZ09";
	struct str out = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		str_clear(&out);
		address_append_quoted(&out, span_of(rows[i].in));
		if (strcmp(out.s, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].what, out.s);
	}
	for (const char *at = need; *at != '\0'; at++)
		assert_true(address_needs_quotes((struct span){at, 1}));
	for (const char *at = none; *at != '\0'; at++)
		assert_false(address_needs_quotes((struct span){at, 1}));
	assert_true(address_needs_quotes(SPAN_LITERAL("a\0b")));
	str_free(&out);
}

static void
test_paths(void **state)
{
	static const struct {
		const char *what, *in, *want, *rest;
	} rows[] = {
	    {"the usual", "FROM:<a@b>", "a@b", ""},
	    {"parameters", "FROM:<a@b> SIZE=1 BODY=7BIT", "a@b",
		" SIZE=1 BODY=7BIT"},
	    {"nobody", "FROM:<>", "", ""},
	    {"spaces before the path", "TO:  <a@b>", "a@b", ""},
	    {"the keyword is not needed", "<a@b>", "a@b", ""},
	    {"a missing end is tolerated", "TO:<a@b", "a@b", ""},
	    {"no brackets", "TO:a@b", "a@b", ""},
	    {"no brackets, with spaces and parameters", "TO:  a@b X=y", "a@b",
		"X=y"},
	    {"nothing behind the colon", "TO:", "", ""},
	    {"only spaces behind the colon", "TO:   ", "", ""},
	    {"a source route", "TO:<@r1,@r2:a@b>", "a@b", ""},
	    {"a source route without brackets", "TO:@r1:a@b", "a@b", ""},
	    {"a route without end is an address", "TO:<@r1>", "@r1", ""},
	    {"a colon behind the path ends no route", "TO:<@r1> X=a:b", "@r1",
		" X=a:b"},
	    {"quotes", "TO:<\"a b\"@c>", "a b@c", ""},
	    {"an end in quotes is none", "TO:<\"a>b\"@c>", "a>b@c", ""},
	    {"an escaped end is none", "TO:<a\\>b@c>", "a>b@c", ""},
	    {"an escaped quote", "TO:<\"a\\\"b\"@c>", "a\"b@c", ""},
	    {"a space in quotes without brackets", "TO:\"a b\"@c", "a b@c", ""},
	    {"a backslash at the end", "TO:<a@b\\", "a@b", ""},
	    {"an open quote", "TO:<\"a@b> x", "a@b> x", ""},
	    {"the second bracket is a byte", "TO:<<a@b>", "<a@b", ""},
	};
	struct str address = STR_INIT;
	struct span rest;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int result =
		    address_parse_path(span_of(rows[i].in), &address, &rest);

		if (result != 0 || strcmp(address.s, rows[i].want) != 0 ||
		    !span_is(span_of(address.s), rows[i].want))
			fail_msg("%s: %s", rows[i].what, address.s);
		/* the separating space may be on either side */
		while (
		    rest.len > 0 && rest.s[0] == ' ' && rows[i].rest[0] != ' ')
			rest = span_from(rest, 1);
		if (!span_is(rest, rows[i].rest))
			fail_msg("%s: rest %.*s", rows[i].what, (int)rest.len,
			    rest.s);
	}
	assert_int_equal(
	    address_parse_path(SPAN_LITERAL("a@b"), &address, &rest), -1);
	assert_int_equal(address.len, 0);
	assert_int_equal(
	    address_parse_path(SPAN_LITERAL(""), &address, NULL), -1);
	str_free(&address);
}

/* What is quoted for SMTP is read as the same address. */
static void
test_quoted_addresses_come_back(void **state)
{
	static const char bytes[] = "ab.@ \"\\()<>[]:;,\t\r\n\001\177\303";
	struct str in = STR_INIT, path = STR_INIT, out = STR_INIT;
	uint32_t seed = 99;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		str_clear(&in);
		for (int i = 0; i < round % 9; i++) {
			seed = seed * 1664525u + 1013904223u;
			str_append_char(
			    &in, bytes[(seed >> 16) % (sizeof(bytes) - 1)]);
		}
		str_append_cstr(&in, "@h.example");
		str_clear(&path);
		str_append_cstr(&path, "TO:<");
		address_append_quoted(&path, str_span(&in));
		str_append_char(&path, '>');
		assert_int_equal(
		    address_parse_path(str_span(&path), &out, NULL), 0);
		assert_string_equal(out.s, in.s);
	}
	str_free(&in);
	str_free(&path);
	str_free(&out);
}

static void
test_safe_bytes(void **state)
{
	struct str out = STR_INIT;
	struct span in = SPAN_LITERAL("a b%c\nd\t\0\177\303\266~!");

	(void)state;
	address_append_safe(&out, in, false);
	assert_true(span_equal(
	    str_span(&out), SPAN_LITERAL("a b%c_d\t\0\177\303\266~!")));
	str_clear(&out);
	address_append_safe(&out, in, true);
	assert_string_equal(out.s, "a_b_c/d_____~!");
	str_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_splitting),
	    cmocka_unit_test(test_quoting),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_quoted_addresses_come_back),
	    cmocka_unit_test(test_safe_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
