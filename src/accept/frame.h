/*
 * frame - netstrings, one inside the other, read while they come
 * Source: D. J. Bernstein, "Netstrings", 1997-02-01.
 *
 * Nothing is collected: a length is read, then the bytes in pieces, then the
 * comma. A length is one to nine digits without a leading zero. Of frames that
 * are open the innermost is read; none can reach beyond the one around it.
 */
#ifndef ACCEPT_FRAME_H
#define ACCEPT_FRAME_H

#include <stddef.h>

#include "base/attr.h"
#include "base/in.h"

enum {
	FRAME_SIZE_MAX = 200000000, /* bytes in one frame */
	FRAME_DEPTH_MAX = 2,
};

enum frame_result {
	FRAME_OK = 0,
	FRAME_LOST = -1,    /* end of file or an error: see in->error */
	FRAME_INVALID = -2, /* not a netstring, or not in the one around it */
	FRAME_TOO_BIG = -3, /* its length is over FRAME_SIZE_MAX */
};

struct frame {
	struct in *in;                /* borrowed */
	size_t left[FRAME_DEPTH_MAX]; /* bytes to come, the outermost first */
	size_t depth;                 /* how many are open */
};

void frame_init(struct frame *frame, struct in *in);
/* Reads "length:" and goes into that frame. After a result other than FRAME_OK,
   here and below, the stream is of no more use. */
MUST_USE enum frame_result frame_open(struct frame *frame);
/* Bytes to come in the innermost frame. */
size_t frame_left(const struct frame *frame);
/* Up to size bytes of it, at least one unless none is left; *len is how many.
 */
MUST_USE enum frame_result frame_read(
    struct frame *frame, char *to, size_t size, size_t *len);
/* Reads the comma behind the innermost frame, of which nothing is left. */
MUST_USE enum frame_result frame_close(struct frame *frame);

#endif
