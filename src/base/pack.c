#include "base/pack.h"

#include <stdbool.h>

void
pack_u32(char *to, uint32_t value)
{
	for (size_t i = 0; i < 4; i++)
		to[i] = (char)(unsigned char)(value >> (8 * i));
}

void
pack_u64(char *to, uint64_t value)
{
	for (size_t i = 0; i < 8; i++)
		to[i] = (char)(unsigned char)(value >> (8 * i));
}

uint32_t
unpack_u32(const char *from)
{
	uint32_t value = 0;

	for (size_t i = 4; i > 0; i--)
		value = value << 8 | (unsigned char)from[i - 1];
	return value;
}

uint64_t
unpack_u64(const char *from)
{
	return (uint64_t)unpack_u32(from + 4) << 32 | unpack_u32(from);
}

/* table[k][b]: the effect of byte b followed by k zero bytes, so that eight
   bytes are taken at once */
static struct {
	uint32_t table[8][256];
	bool ready;
} crc_state;

static void
make_tables(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t crc = b;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
		crc_state.table[0][b] = crc;
	}
	for (size_t k = 1; k < 8; k++) {
		for (size_t b = 0; b < 256; b++) {
			uint32_t crc = crc_state.table[k - 1][b];

			crc_state.table[k][b] =
			    crc >> 8 ^ crc_state.table[0][crc & 255];
		}
	}
	crc_state.ready = true;
}

uint32_t
crc32c(uint32_t crc, const char *buf, size_t len)
{
	if (!crc_state.ready)
		make_tables();
	crc = ~crc;
	for (; len >= 8; len -= 8, buf += 8) {
		uint32_t low = crc ^ unpack_u32(buf);
		uint32_t high = unpack_u32(buf + 4);

		crc = 0;
		for (size_t k = 0; k < 4; k++) {
			crc ^= crc_state.table[7 - k][low >> (8 * k) & 255];
			crc ^= crc_state.table[3 - k][high >> (8 * k) & 255];
		}
	}
	for (; len > 0; len--, buf++)
		crc = crc >> 8 ^
		    crc_state.table[0][(crc ^ (unsigned char)*buf) & 255];
	return ~crc;
}

/* The product of two polynomials over GF(2), modulo that of the checksum; the
   highest bit stands for 1. */
static uint32_t
multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b >> 1 ^ (b & 1 ? 0x82f63b78u : 0);
	}
	return product;
}

uint32_t
crc32c_join(uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
	uint32_t shift = 0x80000000u;  /* 1 */
	uint32_t square = 0x00800000u; /* x^8: one byte of zeros */

	for (; len_b != 0; len_b >>= 1) {
		if (len_b & 1)
			shift = multiply(square, shift);
		square = multiply(square, square);
	}
	return multiply(shift, crc_a) ^ crc_b;
}
