/* integers in bytes, and the checksum */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/pack.h"

static void
integers_are_little_endian(void **state)
{
	char buf[8];

	(void)state;
	pack_u64(buf, 0x0102030405060708);
	assert_memory_equal(buf, "\10\7\6\5\4\3\2\1", 8);
	assert_int_equal(unpack_u64(buf), 0x0102030405060708);
	pack_u32(buf, 0xfffefdfc);
	assert_memory_equal(buf, "\xfc\xfd\xfe\xff", 4);
	assert_int_equal(unpack_u32(buf), 0xfffefdfc);
}

/* RFC 3720, B.4 */
static void
known_checksums(void **state)
{
	char buf[32] = {0};

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
	assert_int_equal(crc32c(0, buf, 32), 0x8a9136aa);
	for (int i = 0; i < 32; i++)
		buf[i] = (char)0xff;
	assert_int_equal(crc32c(0, buf, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		buf[i] = (char)i;
	assert_int_equal(crc32c(0, buf, 32), 0x46dd794e);
}

static void
parts_make_the_whole(void **state)
{
	char buf[1000];
	uint32_t whole;

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * i);
	whole = crc32c(0, buf, sizeof(buf));
	for (size_t cut = 0; cut <= sizeof(buf); cut++) {
		uint32_t a = crc32c(0, buf, cut);
		uint32_t b = crc32c(0, buf + cut, sizeof(buf) - cut);

		assert_int_equal(
		    crc32c(a, buf + cut, sizeof(buf) - cut), whole);
		assert_int_equal(crc32c_join(a, b, sizeof(buf) - cut), whole);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(integers_are_little_endian),
	    cmocka_unit_test(known_checksums),
	    cmocka_unit_test(parts_make_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
