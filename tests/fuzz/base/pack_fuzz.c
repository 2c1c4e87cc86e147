/* checksums: bytes at once, one by one, in two parts, and joined */
#include "../fuzz.h"

#include "base/pack.h"

/* Bit by bit, as the polynomial has it. */
static uint32_t
crc_slowly(uint32_t crc, const char *bytes, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	size_t cut = fuzz_byte(&input);
	uint64_t number = fuzz_number(&input);
	struct span one = fuzz_some(&input, cut), other = input;
	char packed[8];
	uint32_t seed = (uint32_t)number, first, second;

	first = crc32c(seed, one.s, one.len);
	require(first == crc_slowly(seed, one.s, one.len));
	second = crc32c(first, other.s, other.len);
	require(second == crc_slowly(first, other.s, other.len));
	require(second ==
	    crc32c_join(first, crc32c(0, other.s, other.len), other.len));
	pack_u64(packed, number);
	require(unpack_u64(packed) == number);
	require(unpack_u32(packed) == seed);
	return 0;
}
