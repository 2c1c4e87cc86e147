/*
 * oplog - what was done to the disk, in order: written by record, read by disk
 *
 * A file that is mapped by all recorded processes: a head, then operations one
 * behind the other, each a struct oplog_op, path, path2, data, padding to 8.
 */
#ifndef CRASH_OPLOG_H
#define CRASH_OPLOG_H

#include <stdatomic.h>
#include <stdint.h>

enum {
	OPLOG_CREATE = 1, /* path, ino: a new regular file */
	OPLOG_OPEN,       /* path, ino: a file or directory that is there */
	OPLOG_MKDIR,      /* path, ino */
	OPLOG_WRITE,      /* ino, off, data */
	OPLOG_TRUNCATE,   /* ino, off: the size */
	OPLOG_RENAME,     /* path, path2 */
	OPLOG_LINK,       /* path, path2 */
	OPLOG_UNLINK,     /* path */
	OPLOG_SYNC,       /* ino: of a file or a directory */
	OPLOG_SAY,        /* off: a socket; data: sent on it */
	OPLOG_HEAR,       /* off: a socket; data: a packet that came */
	OPLOG_EXIT,       /* off: the status */
};

struct oplog_head {
	char magic[8]; /* "CQOPLOG1" */
	atomic_int lock;
	uint32_t zero;
	uint64_t used; /* bytes of operations */
	uint64_t count;
};

struct oplog_op {
	uint32_t size, type, pid, path_len, path2_len, data_len;
	uint64_t ino, off;
};

#endif
