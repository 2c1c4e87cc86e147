/* dns_answer: good answers, and every way to forge one */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/dns_answer.h"

/* ---- answers made by hand ---- */

static void
put16(struct str *to, unsigned value)
{
	str_append_char(to, (char)(value >> 8));
	str_append_char(to, (char)value);
}

/* "a.b" as labels; a final '*' makes it end in a pointer to offset 12. */
static void
put_name(struct str *to, const char *name)
{
	while (*name != '\0' && *name != '*') {
		size_t len = strcspn(name, ".*");

		str_append_char(to, (char)len);
		str_append(to, name, len);
		name += len;
		if (*name == '.')
			name++;
	}
	if (*name == '*')
		put16(to, 0xc000 + 12);
	else
		str_append_char(to, '\0');
}

static void
put_head(
    struct str *to, unsigned rcode, const char *name, unsigned type, unsigned n)
{
	put16(to, 0x1234);
	put16(to, 0x8180 | rcode);
	put16(to, 1);
	put16(to, n);
	put16(to, 0);
	put16(to, 0);
	put_name(to, name);
	put16(to, type);
	put16(to, 1);
}

static void
put_record(
    struct str *to, const char *owner, unsigned type, const struct str *data)
{
	put_name(to, owner);
	put16(to, type);
	put16(to, 1);
	put16(to, 0);
	put16(to, 60);
	put16(to, (unsigned)data->len);
	str_append_span(to, str_span(data));
}

static void
put_mx(struct str *to, const char *owner, unsigned preference, const char *host)
{
	struct str data = STR_INIT;

	put16(&data, preference);
	put_name(&data, host);
	put_record(to, owner, DNS_TYPE_MX, &data);
	str_free(&data);
}

static void
put_cname(struct str *to, const char *owner, const char *host)
{
	struct str data = STR_INIT;

	put_name(&data, host);
	put_record(to, owner, DNS_TYPE_CNAME, &data);
	str_free(&data);
}

static void
put_bytes(struct str *to, const char *owner, unsigned type, const char *bytes,
    size_t len)
{
	struct str data = STR_INIT;

	str_append(&data, bytes, len);
	put_record(to, owner, type, &data);
	str_free(&data);
}

/* ---- what is read ---- */

/* The records as "10 mx.example;192.0.2.1;", after reading for name, type. */
static enum dns_status
read_text(
    const struct str *answer, const char *name, unsigned type, struct str *text)
{
	struct dns_records records;
	/* a block of its own, so that a read past its end is seen */
	char *copy = malloc(answer->len > 0 ? answer->len : 1);
	enum dns_status status;

	assert_non_null(copy);
	memcpy(copy, answer->s, answer->len);
	status = dns_answer_read(
	    (struct span){copy, answer->len}, span_of(name), type, &records);
	str_clear(text);
	for (size_t i = 0; i < records.count; i++) {
		if (type == DNS_TYPE_MX)
			str_append_format(text, "%u %s",
			    records.list[i].preference, records.list[i].name);
		else
			ip_append(text, &records.list[i].ip);
		str_append_char(text, ';');
	}
	if (status != DNS_FOUND)
		assert_int_equal(records.count, 0);
	dns_records_free(&records);
	free(copy);
	return status;
}

static void
build_plain(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 2);
	put_mx(a, "*", 20, "B.*");
	put_mx(a, "D.Example", 10, "a.other.example");
}

static void
build_root(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	put_mx(a, "*", 0, "");
}

static void
build_none(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 0);
}

static void
build_nxdomain(struct str *a)
{
	put_head(a, 3, "d.example", DNS_TYPE_MX, 0);
}

static void
build_servfail(struct str *a)
{
	put_head(a, 2, "d.example", DNS_TYPE_MX, 0);
}

static void
build_refused(struct str *a)
{
	put_head(a, 5, "d.example", DNS_TYPE_MX, 0);
}

static void
build_alias(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 3);
	put_mx(a, "c.example", 5, "m.example");
	put_cname(a, "b.example", "c.example");
	put_cname(a, "*", "b.example");
}

static void
build_alias_to_nothing(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	put_cname(a, "*", "b.example");
}

static void
build_alias_nxdomain(struct str *a)
{
	put_head(a, 3, "d.example", DNS_TYPE_MX, 1);
	put_cname(a, "*", "b.example");
}

static void
build_alias_circle(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 2);
	put_cname(a, "*", "b.example");
	put_cname(a, "b.example", "d.example");
}

static void
build_other_owner(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	put_mx(a, "evil.example", 1, "m.example");
}

static void
build_other_question(struct str *a)
{
	put_head(a, 0, "e.example", DNS_TYPE_MX, 1);
	put_mx(a, "d.example", 1, "m.example");
}

static void
build_odd_name(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	put_mx(a, "*", 1, "a\tb\"c.example");
}

static void
build_truncated_flag(struct str *a)
{
	build_plain(a);
	a->s[2] |= 2;
}

static void
build_query(struct str *a)
{
	build_plain(a);
	a->s[2] &= 0x7f;
}

static void
build_two_questions(struct str *a)
{
	build_plain(a);
	a->s[5] = 2;
}

static void
build_more_promised(struct str *a)
{
	build_plain(a);
	a->s[7] = 3;
}

static void
build_pointer_to_itself(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	put16(a, 0xc000 + (unsigned)a->len);
	str_append(a, "\0\17\0\1\0\0\0\0\0\3\0\1\0", 13);
}

static void
build_pointer_ahead(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	put16(a, 0xc000 + (unsigned)a->len + 4);
	str_append(a, "\0\17\0\1\0\0\0\0\0\3\0\1\0", 13);
}

static void
build_long_label(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	str_append_char(a, 64);
	for (int i = 0; i < 64; i++)
		str_append_char(a, 'x');
	str_append(a, "\0\0\17\0\1\0\0\0\0\0\3\0\1\0", 14);
}

/* Names of 255 bytes by a chain of pointers: allowed; 256: not. */
static void
build_long_name(struct str *a)
{
	char label[64];

	memset(label, 'x', 63);
	label[63] = '\0';
	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	put_name(a, "*");
	str_append(a, "\0\17\0\1\0\0\0\0", 8);
	put16(a, 2 + 4 * 64 + 1);
	put16(a, 1);
	for (int i = 0; i < 4; i++) {
		str_append_char(a, 63);
		str_append(a, label, 63);
	}
	str_append_char(a, '\0');
}

static void
build_short_mx(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	put_bytes(a, "*", DNS_TYPE_MX, "\0\1", 2);
}

static void
build_mx_with_tail(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	put_bytes(a, "*", DNS_TYPE_MX, "\0\1\1m\0x", 6);
}

static void
build_mx_overrun(struct str *a)
{
	put_head(a, 0, "d.example", DNS_TYPE_MX, 2);
	put_bytes(a, "*", DNS_TYPE_MX, "\0\1\3m", 4);
	put_mx(a, "*", 1, "m.example");
}

static void
build_other_class(struct str *a)
{
	size_t at;

	put_head(a, 0, "d.example", DNS_TYPE_MX, 1);
	at = a->len;
	put_mx(a, "*", 1, "m.example");
	a->s[at + 5] = 3;
}

static const struct {
	const char *what;
	void (*build)(struct str *);
	enum dns_status want;
	const char *text;
} rows[] = {
    {"two exchangers, names in lower case", build_plain, DNS_FOUND,
	"20 b.d.example;10 a.other.example;"},
    {"the root as exchanger", build_root, DNS_FOUND, "0 ;"},
    {"no record", build_none, DNS_NO_DATA, ""},
    {"no such name", build_nxdomain, DNS_NO_NAME, ""},
    {"the server failed", build_servfail, DNS_SOFT, ""},
    {"the server refused", build_refused, DNS_SOFT, ""},
    {"aliases are followed in any order", build_alias, DNS_FOUND,
	"5 m.example;"},
    {"an alias without a record", build_alias_to_nothing, DNS_NO_DATA, ""},
    {"an alias to no name", build_alias_nxdomain, DNS_NO_NAME, ""},
    {"aliases in a circle", build_alias_circle, DNS_SOFT, ""},
    {"records of another name do not count", build_other_owner, DNS_NO_DATA,
	""},
    {"the answer to another question", build_other_question, DNS_SOFT, ""},
    {"bytes that no host name has", build_odd_name, DNS_FOUND,
	"1 a?b?c.example;"},
    {"a cut answer", build_truncated_flag, DNS_SOFT, ""},
    {"a question is no answer", build_query, DNS_SOFT, ""},
    {"two questions", build_two_questions, DNS_SOFT, ""},
    {"fewer records than promised", build_more_promised, DNS_SOFT, ""},
    {"a pointer to itself", build_pointer_to_itself, DNS_SOFT, ""},
    {"a pointer ahead", build_pointer_ahead, DNS_SOFT, ""},
    {"a label of 64 bytes", build_long_label, DNS_SOFT, ""},
    {"a name over 255 bytes", build_long_name, DNS_SOFT, ""},
    {"an exchanger without a name", build_short_mx, DNS_SOFT, ""},
    {"bytes behind the exchanger", build_mx_with_tail, DNS_SOFT, ""},
    {"a name that runs out of its record", build_mx_overrun, DNS_SOFT, ""},
    {"another class", build_other_class, DNS_NO_DATA, ""},
};

static void
reads_mx(void **state)
{
	struct str answer = STR_INIT, text = STR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("%s\n", rows[i].what);
		str_clear(&answer);
		rows[i].build(&answer);
		assert_int_equal(
		    read_text(&answer, "d.example", DNS_TYPE_MX, &text),
		    rows[i].want);
		assert_string_equal(text.s, rows[i].text);
	}
	str_free(&answer);
	str_free(&text);
}

static void
no_prefix_is_an_answer(void **state)
{
	struct str answer = STR_INIT, text = STR_INIT;
	size_t len;

	(void)state;
	build_alias(&answer);
	len = answer.len;
	for (size_t i = 0; i < len; i++) {
		struct str part = STR_INIT;

		str_append(&part, answer.s, i);
		assert_int_equal(
		    read_text(&part, "d.example", DNS_TYPE_MX, &text),
		    DNS_SOFT);
		str_free(&part);
	}
	str_free(&answer);
	str_free(&text);
}

static void
reads_addresses(void **state)
{
	struct str answer = STR_INIT, text = STR_INIT;

	(void)state;
	put_head(&answer, 0, "h.example", DNS_TYPE_A, 3);
	put_cname(&answer, "*", "i.example");
	put_bytes(&answer, "i.example", DNS_TYPE_A, "\300\0\2\1", 4);
	put_bytes(&answer, "i.example", DNS_TYPE_A, "\300\0\2\2", 4);
	assert_int_equal(
	    read_text(&answer, "H.example.", DNS_TYPE_A, &text), DNS_FOUND);
	assert_string_equal(text.s, "192.0.2.1;192.0.2.2;");

	str_clear(&answer);
	put_head(&answer, 0, "h.example", DNS_TYPE_AAAA, 1);
	put_bytes(&answer, "*", DNS_TYPE_AAAA,
	    "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\7", 16);
	assert_int_equal(
	    read_text(&answer, "h.example", DNS_TYPE_AAAA, &text), DNS_FOUND);
	assert_string_equal(text.s, "2001:db8::7;");

	str_clear(&answer);
	put_head(&answer, 0, "h.example", DNS_TYPE_A, 1);
	put_bytes(&answer, "*", DNS_TYPE_A, "\300\0\2", 3);
	assert_int_equal(
	    read_text(&answer, "h.example", DNS_TYPE_A, &text), DNS_SOFT);
	str_free(&answer);
	str_free(&text);
}

static void
reads_names_of_addresses(void **state)
{
	static const char name[] = "1.2.0.192.in-addr.arpa";
	static const char alias[] = "1.0/25.2.0.192.in-addr.arpa";
	struct str answer = STR_INIT, data = STR_INIT;
	struct dns_records records;

	(void)state;
	put_head(&answer, 0, name, DNS_TYPE_PTR, 2);
	put_cname(&answer, "*", alias);
	put_name(&data, "Mail.EXAMPLE");
	put_record(&answer, alias, DNS_TYPE_PTR, &data);
	assert_int_equal(dns_answer_read(str_span(&answer), span_of(name),
			     DNS_TYPE_PTR, &records),
	    DNS_FOUND);
	assert_int_equal(records.count, 1);
	assert_string_equal(records.list[0].name, "mail.example");
	dns_records_free(&records);

	/* a name that ends before its record does */
	str_append_char(&data, 'x');
	str_clear(&answer);
	put_head(&answer, 0, name, DNS_TYPE_PTR, 1);
	put_record(&answer, "*", DNS_TYPE_PTR, &data);
	assert_int_equal(dns_answer_read(str_span(&answer), span_of(name),
			     DNS_TYPE_PTR, &records),
	    DNS_SOFT);
	str_free(&answer);
	str_free(&data);
}

static void
follows_a_bounded_number_of_aliases(void **state)
{
	struct str answer = STR_INIT, text = STR_INIT;

	(void)state;
	for (unsigned n = DNS_CNAME_MAX; n <= DNS_CNAME_MAX + 1; n++) {
		char from[32], to[32] = "";

		str_clear(&answer);
		put_head(&answer, 0, "n0.example", DNS_TYPE_MX, n + 1);
		for (unsigned i = 0; i < n; i++) {
			(void)snprintf(from, sizeof(from), "n%u.example", i);
			(void)snprintf(to, sizeof(to), "n%u.example", i + 1);
			put_cname(&answer, from, to);
		}
		put_mx(&answer, to, 1, "m.example");
		assert_int_equal(
		    read_text(&answer, "n0.example", DNS_TYPE_MX, &text),
		    n == DNS_CNAME_MAX ? DNS_FOUND : DNS_SOFT);
	}
	str_free(&answer);
	str_free(&text);
}

static void
takes_the_largest_answer(void **state)
{
	struct str answer = STR_INIT, text = STR_INIT;
	unsigned n = 0;

	(void)state;
	put_head(&answer, 0, "d.example", DNS_TYPE_MX, 0);
	while (answer.len + 20 <= DNS_ANSWER_MAX) {
		put_mx(&answer, "*", n++, "m.*");
	}
	answer.s[6] = (char)(n >> 8);
	answer.s[7] = (char)n;
	assert_true(n > 3000);
	assert_int_equal(
	    read_text(&answer, "d.example", DNS_TYPE_MX, &text), DNS_FOUND);
	assert_non_null(strstr(text.s, ";3000 m.d.example;"));
	str_free(&answer);
	str_free(&text);
}

static void
knows_names(void **state)
{
	static const struct {
		const char *what, *name;
		bool want;
	} names[] = {
	    {"a host", "mx-1.example.org", true},
	    {"one label", "localhost", true},
	    {"a final dot", "example.org.", true},
	    {"underscores and slashes", "_x.a/b.example", true},
	    {"nothing", "", false},
	    {"a dot", ".", false},
	    {"an empty label", "a..b", false},
	    {"a first dot", ".a", false},
	    {"two final dots", "a..", false},
	    {"a space", "a b", false},
	    {"a backslash", "a\\046b", false},
	    {"a byte over 127", "a\303\244.example", false},
	    {"an address literal", "[192.0.2.1]", false},
	};
	char label[70];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		print_message("%s\n", names[i].what);
		assert_int_equal(
		    dns_is_name(span_of(names[i].name)), names[i].want);
	}
	memset(label, 'x', sizeof(label));
	assert_true(dns_is_name((struct span){label, 63}));
	assert_false(dns_is_name((struct span){label, 64}));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_mx),
	    cmocka_unit_test(no_prefix_is_an_answer),
	    cmocka_unit_test(reads_addresses),
	    cmocka_unit_test(reads_names_of_addresses),
	    cmocka_unit_test(follows_a_bounded_number_of_aliases),
	    cmocka_unit_test(takes_the_largest_answer),
	    cmocka_unit_test(knows_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
