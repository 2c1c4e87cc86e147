#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ARENA = 1024 * 1024,
};

static struct {
	char *arena;
	size_t arena_used;
	void **chunks; /* arenas that are full */
	size_t chunk_count;
	struct node **nodes;
	size_t node_count, node_room;
	uint64_t next_ino;
} trees;

void *
tree_need(void *memory)
{
	if (memory == NULL) {
		fprintf(stderr, "out of memory\n");
		abort();
	}
	return memory;
}

/* ---- blobs -------------------------------------------------------------- */

struct blob *
blob_new(const char *data, size_t size)
{
	struct blob *blob = tree_need(calloc(1, sizeof(*blob)));

	blob->refs = 1;
	blob->size = size;
	blob->room = size + 1;
	blob->data = tree_need(malloc(blob->room));
	if (data != NULL)
		memcpy(blob->data, data, size);
	else
		memset(blob->data, 0, size);
	return blob;
}

struct blob *
blob_ref(struct blob *blob)
{
	blob->refs++;
	return blob;
}

void
blob_unref(struct blob *blob)
{
	if (blob == NULL || --blob->refs > 0)
		return;
	free(blob->data);
	free(blob);
}

uint64_t
blob_hash(struct blob *blob)
{
	uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ blob->size;
	size_t i = 0;

	if (blob->hashed)
		return blob->hash;
	for (; i + 8 <= blob->size; i += 8) {
		uint64_t word;

		memcpy(&word, blob->data + i, 8);
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	for (; i < blob->size; i++)
		hash = (hash ^ (unsigned char)blob->data[i]) *
		    UINT64_C(0x100000001b3);
	blob->hash = hash ^ hash >> 29;
	blob->hashed = true;
	return blob->hash;
}

void
blob_own(struct blob **blob, size_t size)
{
	struct blob *old = *blob;

	if (old->refs > 1) {
		struct blob *copy = blob_new(NULL, size);

		memcpy(
		    copy->data, old->data, old->size < size ? old->size : size);
		blob_unref(old);
		*blob = copy;
		return;
	}
	if (size > old->room) {
		old->room = size * 2;
		old->data = tree_need(realloc(old->data, old->room));
	}
	if (size > old->size)
		memset(old->data + old->size, 0, size - old->size);
	old->size = size;
	old->hashed = false;
}

/* ---- trees -------------------------------------------------------------- */

void *
tree_take(size_t size)
{
	void *result;

	size = (size + 15) & ~(size_t)15;
	if (trees.arena == NULL || trees.arena_used + size > ARENA) {
		if (trees.arena != NULL) {
			trees.chunks = tree_need(realloc(trees.chunks,
			    (trees.chunk_count + 1) * sizeof(*trees.chunks)));
			trees.chunks[trees.chunk_count++] = trees.arena;
		}
		trees.arena = tree_need(malloc(ARENA));
		trees.arena_used = 0;
	}
	result = trees.arena + trees.arena_used;
	trees.arena_used += size;
	return result;
}

void
tree_reset(void)
{
	for (size_t i = 0; i < trees.node_count; i++)
		blob_unref(trees.nodes[i]->blob);
	trees.node_count = 0;
	trees.next_ino = 0;
	for (size_t i = 0; i < trees.chunk_count; i++)
		free(trees.chunks[i]);
	trees.chunk_count = 0;
	trees.arena_used = 0;
}

struct node *
node_new(bool is_dir)
{
	struct node *node = tree_take(sizeof(*node));

	*node = (struct node){.is_dir = is_dir, .ino = ++trees.next_ino};
	if (trees.node_count == trees.node_room) {
		trees.node_room = trees.node_room * 2 + 256;
		trees.nodes = tree_need(realloc(
		    trees.nodes, trees.node_room * sizeof(*trees.nodes)));
	}
	trees.nodes[trees.node_count++] = node;
	return node;
}

void
node_add(struct node *dir, const char *name, struct node *node)
{
	size_t len = strlen(name) + 1;
	char *copy = tree_take(len);

	memcpy(copy, name, len);
	if (dir->count == dir->room) {
		struct entry *more;

		dir->room = dir->room * 2 + 8;
		more = tree_take(dir->room * sizeof(*more));
		if (dir->count > 0)
			memcpy(more, dir->entries, dir->count * sizeof(*more));
		dir->entries = more;
	}
	dir->entries[dir->count++] = (struct entry){copy, node};
}

struct entry *
node_entry(struct node *dir, const char *name, size_t len)
{
	for (size_t i = 0; i < dir->count; i++) {
		const char *have = dir->entries[i].name;

		if (strncmp(have, name, len) == 0 && have[len] == '\0')
			return &dir->entries[i];
	}
	return NULL;
}

/* The directory of path, and the last part of it; NULL with errno. */
struct node *
node_parent(struct node *root, const char *path, const char **last)
{
	struct node *dir = root;

	for (;;) {
		size_t len = strcspn(path, "/");
		struct entry *entry;

		if (path[len] == '\0') {
			*last = path;
			return dir;
		}
		entry = node_entry(dir, path, len);
		if (entry == NULL || !entry->node->is_dir) {
			errno = entry == NULL ? ENOENT : ENOTDIR;
			return NULL;
		}
		dir = entry->node;
		path += len + 1;
	}
}

struct node *
node_find(struct node *root, const char *path)
{
	const char *last;
	struct node *dir;
	struct entry *entry;

	if (strcmp(path, ".") == 0)
		return root;
	dir = node_parent(root, path, &last);
	if (dir == NULL)
		return NULL;
	entry = node_entry(dir, last, strlen(last));
	if (entry == NULL)
		errno = ENOENT;
	return entry == NULL ? NULL : entry->node;
}

uint64_t
node_hash(struct node *node)
{
	uint64_t sum = 7;

	if (!node->is_dir)
		return blob_hash(node->blob);
	/* the order of names does not count */
	for (size_t i = 0; i < node->count; i++) {
		uint64_t hash = node_hash(node->entries[i].node);

		for (const char *c = node->entries[i].name; *c != '\0'; c++)
			hash = (hash ^ (unsigned char)*c) *
			    UINT64_C(0x100000001b3);
		hash *= UINT64_C(0xc4ceb9fe1a85ec53);
		sum += hash ^ hash >> 31;
	}
	return sum * UINT64_C(0x9e3779b97f4a7c15);
}
