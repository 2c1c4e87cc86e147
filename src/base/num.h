/*
 * num - decimal numbers: strict ones between programs, lenient ones in files
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

/* All of text must be 1 to 20 digits that fit. 0, or -1 (*value unchanged). */
MUST_USE int num_parse_u64(struct span text, uint64_t *value);
/*
 * The digits that text starts with; saturates at UINT64_MAX. Returns how many
 * digits there were; 0 leaves *value unchanged.
 */
size_t num_leading_u64(struct span text, uint64_t *value);

enum {
	NUM_DIGITS = 20, /* of the largest number */
};

/* The decimal digits of value, at the end of room; borrowed from it. */
struct span num_format(char room[NUM_DIGITS], uint64_t value);

#endif
