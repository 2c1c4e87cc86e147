/*
 * pack - little-endian integers in byte arrays, and CRC-32C
 * Source of the checksum: RFC 3720 section 12.1 (Castagnoli polynomial).
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include <stddef.h>
#include <stdint.h>

void pack_u32(char *to, uint32_t value);
void pack_u64(char *to, uint64_t value);
uint32_t unpack_u32(const char *from);
uint64_t unpack_u64(const char *from);

/* Continues crc (0 to start) over len bytes; "123456789" gives 0xe3069283. */
uint32_t crc32c(uint32_t crc, const char *buf, size_t len);
/* The checksum of a and b in a row, from each one's own and b's length. */
uint32_t crc32c_join(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);

#endif
