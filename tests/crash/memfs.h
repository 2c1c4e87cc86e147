/*
 * memfs - a file system in memory, on which the recovery code runs
 *
 * The program is linked with --wrap for the calls that this code makes; between
 * memfs_begin and memfs_end they work on a tree, with root as the working
 * directory, else on the real files. What changes the tree is told to a sink,
 * so that a recovery can be cut as well.
 */
#ifndef CRASH_MEMFS_H
#define CRASH_MEMFS_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Content, shared by all that have the same and copied by who changes it. */
struct blob {
	int refs;
	bool hashed;
	size_t size, room;
	uint64_t hash;
	char *data;
};

struct blob *blob_new(const char *data, size_t size); /* one reference */
struct blob *blob_ref(struct blob *blob);
void blob_unref(struct blob *blob);
uint64_t blob_hash(struct blob *blob);
/* *blob becomes one that nobody else has, of that size, grown by zeros. */
void blob_own(struct blob **blob, size_t size);

struct node;
struct entry {
	const char *name;
	struct node *node;
};
struct node {
	bool is_dir;
	uint64_t ino; /* of this tree */
	struct blob *blob;
	struct entry *entries;
	size_t count, room;
};

/* One operation, as in oplog.h; strings end with NUL. */
struct op {
	uint32_t type, pid;
	const char *path, *path2, *data;
	size_t len;
	uint64_t ino, off;
};

/* Trees live until memfs_reset. Names are copied. */
struct node *node_new(bool is_dir);
void node_add(struct node *dir, const char *name, struct node *node);
struct node *node_find(struct node *root, const char *path);
uint64_t node_hash(struct node *root);
void memfs_reset(void);

typedef void (*memfs_sink)(void *owner, const struct op *op);
void memfs_begin(struct node *root, memfs_sink sink, void *owner);
/* Ends it; returns how many descriptors were left open. */
int memfs_end(void);
/* What was written to stderr, NUL-terminated; valid until memfs_begin. */
const char *memfs_said(void);
/* _exit comes here. */
extern jmp_buf memfs_exit;
extern int memfs_exit_code;

#endif
