/*
 * tree - directories and files in memory
 *
 * What a disk is found to hold, and what a file system makes of it. Nothing
 * here fails: without memory it is the end of the program.
 */
#ifndef CRASH_TREE_H
#define CRASH_TREE_H

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

/* Trees live until tree_reset. Names are copied. */
struct node *node_new(bool is_dir);
void node_add(struct node *dir, const char *name, struct node *node);
struct node *node_find(struct node *root, const char *path);
uint64_t node_hash(struct node *root);
void tree_reset(void);

/* The entry of that name, of len bytes; NULL if there is none. */
struct entry *node_entry(struct node *dir, const char *name, size_t len);
/* The directory of path, and the last part of it; NULL with errno. */
struct node *node_parent(
    struct node *root, const char *path, const char **last);

void *tree_take(size_t size);  /* memory until tree_reset */
void *tree_need(void *memory); /* memory, which is not NULL */

#endif
