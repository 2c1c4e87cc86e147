/*
 * in - buffered reading from one descriptor, with a deadline for each wait
 *
 * Handles EINTR and short reads. A wait longer than timeout_s seconds fails
 * with errno ETIMEDOUT; 0 waits for ever. Failure and end of file stick. The
 * buffer belongs to the caller and must outlive the struct. The descriptor's
 * flags are left alone (it may be shared), and it is never closed here.
 * If tied is set, that output is flushed before every wait, so that whoever is
 * at the other end has our reply before we wait for its next word.
 */
#ifndef BASE_IN_H
#define BASE_IN_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/out.h"
#include "base/span.h"
#include "base/str.h"

struct in {
	int fd;
	unsigned timeout_s;
	char *buf;
	size_t size, start, end;
	struct out *tied; /* or NULL */
	int error;        /* sticky errno; 0 while all is well */
	bool eof;
	bool is_timed, is_endless; /* see in_time */
};

enum {
	IN_EOF = 0,       /* for in_line: end of file before any byte */
	IN_ERROR = -1,    /* errno, also kept in error */
	IN_TOO_LONG = -2, /* in_line: max bytes without an LF */
};

void in_init(struct in *a, int fd, unsigned timeout_s, char *buf, size_t size);
/* Saves calls that in_init alone has to make, by asking what fd is: on a
   socket, which must be nobody else's, the system watches the deadline; if it
   is none and there is no deadline, reading is all that is done. */
void in_time(struct in *a);

/* Reads once if nothing is buffered. Returns 1 if bytes are there, 0, -1. */
MUST_USE int in_fill(struct in *a);
/* Reads once more behind what is buffered (which moves). Returns 1; 0 at end
   of file or if the buffer is full (then errno is ENOBUFS); -1. */
MUST_USE int in_more(struct in *a);
/* What is buffered now; valid until the next call on a. */
struct span in_buffered(const struct in *a);
void in_skip(struct in *a, size_t len); /* len <= buffered */

/* Up to len bytes, at least one. Returns how many, 0 at end of file, or -1. */
MUST_USE ssize_t in_read(struct in *a, char *to, size_t len);
/* Exactly len bytes. Returns 1; 0 if the file ended before; -1. */
MUST_USE int in_read_full(struct in *a, char *to, size_t len);
/* The next byte as 0..255, or -1 at end of file or on error (see error). */
int in_byte(struct in *a);
/*
 * Replaces *line by the next line, its LF included (missing only at the end of
 * the file). Returns 1, IN_EOF, IN_ERROR, or IN_TOO_LONG once the line would
 * pass max bytes: then *line holds its first max bytes and the rest is next.
 */
MUST_USE int in_line(struct in *a, struct str *line, size_t max);

#endif
