/* span, num and pack: bytes, numbers and checksums */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/attr.h"
#include "base/num.h"
#include "base/pack.h"
#include "base/span.h"

static const struct span empty = {NULL, 0};

static void
test_comparing(void **state)
{
	(void)state;
	assert_true(span_equal(empty, SPAN_LITERAL("")));
	assert_int_equal(span_from(empty, 0).len, 0);
	assert_true(span_equal(SPAN_LITERAL("a\0b"), SPAN_LITERAL("a\0b")));
	assert_false(span_equal(SPAN_LITERAL("a\0b"), SPAN_LITERAL("a\0c")));
	assert_false(span_equal(SPAN_LITERAL("a"), SPAN_LITERAL("ab")));
	assert_true(span_is(span_of("abc"), "abc"));
	assert_false(span_is(SPAN_LITERAL("abc\0"), "abc"));
	assert_true(span_equal_nocase(span_of("AbZ@[`{"), span_of("aBz@[`{")));
	assert_false(span_equal_nocase(span_of("@"), span_of("`")));
	assert_false(span_equal_nocase(span_of("\304"), span_of("\344")));
	assert_true(span_starts_nocase(span_of("MAIL from"), "mail "));
	assert_true(span_starts_nocase(span_of("MAIL"), ""));
	assert_false(span_starts_nocase(span_of("MAI"), "mail"));
	assert_false(span_starts_nocase(empty, "x"));
}

static void
test_searching_and_cutting(void **state)
{
	struct span a = SPAN_LITERAL("a.b.c\0.");

	(void)state;
	assert_int_equal(span_find(a, '.'), 1);
	assert_int_equal(span_find_last(a, '.'), 6);
	assert_int_equal(span_find(a, '\0'), 5);
	assert_true(span_find(a, 'x') == SPAN_NONE);
	assert_true(span_find_last(a, 'x') == SPAN_NONE);
	assert_true(span_find(empty, 'x') == SPAN_NONE);
	assert_true(span_find_last(empty, 'x') == SPAN_NONE);
	assert_true(span_is(span_until(a, 3), "a.b"));
	assert_true(span_equal(span_from(a, 4), SPAN_LITERAL("c\0.")));
	assert_int_equal(span_from(a, a.len).len, 0);
	assert_true(span_is(span_trim_right(span_of(" a \t\n \n")), " a"));
	assert_true(span_is(span_trim_right(span_of("a\r\n")), "a\r"));
	assert_true(span_is(span_trim_right(span_of(" \t\n")), ""));
	assert_int_equal(span_trim_right(empty).len, 0);
}

static void
test_strict_numbers(void **state)
{
	static const struct {
		const char *what, *in;
		int result;
		uint64_t value;
	} rows[] = {
	    {"zero", "0", 0, 0},
	    {"leading zeros", "007", 0, 7},
	    {"the greatest", "18446744073709551615", 0, UINT64_MAX},
	    {"one more", "18446744073709551616", -1, 5},
	    {"one digit more", "184467440737095516150", -1, 5},
	    {"20 nines", "99999999999999999999", -1, 5},
	    {"nothing", "", -1, 5},
	    {"a sign", "+1", -1, 5},
	    {"a minus", "-1", -1, 5},
	    {"a space before", " 1", -1, 5},
	    {"a space behind", "1 ", -1, 5},
	    {"a letter", "1a", -1, 5},
	    {"the byte behind 9", "1:", -1, 5},
	    {"the byte before 0", "1/", -1, 5},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = 5;
		int result = num_parse_u64(span_of(rows[i].in), &value);

		if (result != rows[i].result || value != rows[i].value)
			fail_msg("%s", rows[i].what);
	}
	assert_int_equal(
	    num_parse_u64(SPAN_LITERAL("1\0"), &(uint64_t){0}), -1);
}

static void
test_lenient_numbers(void **state)
{
	static const struct {
		const char *in;
		size_t digits;
		uint64_t value;
	} rows[] = {
	    {"", 0, 5},
	    {"x1", 0, 5},
	    {" 1", 0, 5},
	    {"-1", 0, 5},
	    {"12x3", 2, 12},
	    {"1200 # seconds", 4, 1200},
	    {"18446744073709551615", 20, UINT64_MAX},
	    {"18446744073709551616", 20, UINT64_MAX},
	    {"99999999999999999999999999", 26, UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = 5;

		if (num_leading_u64(span_of(rows[i].in), &value) !=
			rows[i].digits ||
		    value != rows[i].value)
			fail_msg("%s", rows[i].in);
	}
}

static void
test_packing(void **state)
{
	char buf[8];

	(void)state;
	pack_u32(buf, 0x81828384u);
	assert_memory_equal(buf, "\x84\x83\x82\x81", 4);
	assert_true(unpack_u32(buf) == 0x81828384u);
	pack_u64(buf, 0xf1f2f3f4f5f6f7f8u);
	assert_memory_equal(buf, "\xf8\xf7\xf6\xf5\xf4\xf3\xf2\xf1", 8);
	assert_true(unpack_u64(buf) == 0xf1f2f3f4f5f6f7f8u);
}

/* The definition, a bit at a time. */
static uint32_t
slow_crc32c(const char *buf, size_t len)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)buf[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

static void
test_checksum(void **state)
{
	char buf[256], zeros[32] = {0};

	(void)state;
	assert_true(crc32c(0, "123456789", 9) == 0xe3069283u);
	assert_true(crc32c(0, "", 0) == 0);
	/* RFC 3720 appendix B.4: 32 bytes of zero */
	assert_true(crc32c(0, zeros, sizeof(zeros)) == 0x8a9136aau);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7 + 1);
	for (size_t len = 0; len < 200; len++) {
		size_t start = len % 9, cut = len / 3;
		uint32_t want = slow_crc32c(buf + start, len);
		uint32_t part = crc32c(0, buf + start, cut);

		assert_true(crc32c(0, buf + start, len) == want);
		assert_true(crc32c(part, buf + start + cut, len - cut) == want);
		assert_true(
		    crc32c_join(part, crc32c(0, buf + start + cut, len - cut),
			len - cut) == want);
	}
}

static void
test_functions(void **state)
{
	static const struct row {
		const char *what, *input;
		bool want;
	} rows[] = {
	    {"a function", "() { :;}; x", true},
	    {"nothing but its start", "() {", true},
	    {"with spaces in front", "  () { x", true},
	    {"less than its start", "() ", false},
	    {"nothing", "", false},
	    {"spaces", "   ", false},
	    {"behind something else", "x () {", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (span_is_function(span_of(rows[i].input)) != rows[i].want)
			fail_msg("%s", rows[i].what);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_comparing),
	    cmocka_unit_test(test_searching_and_cutting),
	    cmocka_unit_test(test_strict_numbers),
	    cmocka_unit_test(test_lenient_numbers),
	    cmocka_unit_test(test_packing),
	    cmocka_unit_test(test_checksum),
	    cmocka_unit_test(test_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
