/*
 * cdb - a constant database: a file of keys and values, made once, asked often
 * Source: D. J. Bernstein, "A structure for constant databases", cr.yp.to/cdb.
 *
 * A file has at most 4 GiB. Reading uses pread only, so a descriptor may be
 * shared and a file that shrinks under us is an error, never a signal. A
 * corrupt file gives wrong answers or EINVAL, never more reads than it has
 * bytes.
 */
#ifndef BASE_CDB_H
#define BASE_CDB_H

#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum {
	CDB_DATA_MAX = 1024 * 1024, /* bytes of one value that is read */
};

struct cdb {
	int fd; /* borrowed */
	uint64_t size_bytes;
};

/* 0, or -1 with errno (EINVAL: shorter than a header). fd stays the caller's
   and must outlive *cdb. */
MUST_USE int cdb_open(struct cdb *cdb, int fd);
/*
 * The value of the first record with key. Returns 1 and replaces *data, 0 if
 * there is none, -1 with errno (EINVAL: corrupt; EFBIG: over CDB_DATA_MAX).
 */
MUST_USE int cdb_find(const struct cdb *cdb, struct span key, struct str *data);

/* The hash of a key, as in the file. */
uint32_t cdb_hash(struct span key);

struct cdb_slot {
	uint32_t hash, position;
};

struct cdb_writer {
	int fd; /* borrowed */
	uint64_t position;
	struct str buffer;      /* what is not yet written */
	struct cdb_slot *slots; /* in the order of the records */
	size_t count, room;
};

/*
 * Writes a database to fd, an empty file at offset 0 which the caller syncs,
 * closes and renames. Records keep their order; equal keys may repeat.
 * After a failure only cdb_writer_free is of use.
 */
void cdb_writer_open(struct cdb_writer *writer, int fd);
/* 0, or -1 with errno (EFBIG: the file would pass 4 GiB). */
MUST_USE int cdb_writer_add(
    struct cdb_writer *writer, struct span key, struct span data);
/* Writes tables and header. 0, or -1 with errno. */
MUST_USE int cdb_writer_finish(struct cdb_writer *writer);
void cdb_writer_free(struct cdb_writer *writer);

#endif
