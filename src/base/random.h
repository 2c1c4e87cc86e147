/*
 * random - bytes that nobody can guess
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

#include "base/attr.h"

/* Fills len bytes from /dev/urandom. 0, or -1 with errno; then no byte of to
   may be used. */
MUST_USE int random_fill(void *to, size_t len);

#endif
