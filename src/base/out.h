/*
 * out - buffered writing to one descriptor, with a deadline for each wait
 *
 * Handles EINTR and short writes. Failure sticks: write freely, then test once
 * at out_flush. A wait longer than timeout_s seconds fails with ETIMEDOUT; 0
 * waits for ever. The buffer belongs to the caller. SIGPIPE must be ignored.
 */
#ifndef BASE_OUT_H
#define BASE_OUT_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

struct out {
	int fd;
	unsigned timeout_s;
	char *buf;
	size_t size, len;
	int error; /* sticky errno; 0 while all is well */
};

void out_init(
    struct out *a, int fd, unsigned timeout_s, char *buf, size_t size);
void out_write(struct out *a, const char *bytes, size_t len);
void out_cstr(struct out *a, const char *cstr);
void out_span(struct out *a, struct span b);
void out_u64(struct out *a, uint64_t number);
MUST_USE int out_flush(struct out *a); /* 0, or -1 with errno */

#endif
