#define _GNU_SOURCE 1
#include "recovering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/pack.h"
#include "queue/clean_work.h"
#include "queue/ledger.h"
#include "queue/orders.h"
#include "queue/recovery.h"
#include "queue/store.h"

enum {
	SEGMENT_KIB = 64,
};

/* ---- the qmail-cleans, without their processes -------------------------- */

static struct {
	struct clean_job jobs[64];
	size_t count;
} cleaning;

void
cleaners_add(
    struct cleaners *cleaners, enum clean_job_kind kind, uint64_t a, uint64_t b)
{
	(void)cleaners;
	if (cleaning.count == COUNT(cleaning.jobs))
		abort();
	cleaning.jobs[cleaning.count].kind = kind;
	cleaning.jobs[cleaning.count].a = a;
	cleaning.jobs[cleaning.count++].b = b;
}

void
cleaners_remove(struct cleaners *cleaners, uint64_t id)
{
	(void)cleaners;
	(void)id;
	abort(); /* recovery removes by itself */
}

int
cleaners_finish(struct cleaners *cleaners)
{
	struct str what = STR_INIT;

	for (size_t i = 0; i < cleaning.count; i++) {
		bool ok = clean_work_do(&cleaning.jobs[i], &what) == 0;

		cleaners->done(cleaners->owner, &cleaning.jobs[i], ok,
		    ok ? (struct span){"", 0} : str_span(&what));
	}
	cleaning.count = 0;
	str_free(&what);
	return 0;
}

/* ---- recovery ----------------------------------------------------------- */

static void
recover(FILE *out)
{
	static const struct accounts accounts;
	static struct cleaners cleaners;
	static struct ledger ledger;
	static struct orders orders;
	struct str failed = STR_INIT;

	ledger_init(&ledger, &accounts, &cleaners);
	if (store_make_directories(&failed) == -1)
		die_sys("cannot make queue/%s", failed.s);
	str_free(&failed);
	recovery_run(&ledger, 4, SEGMENT_KIB);
	if (orders_load(&orders) == -1)
		die_sys("cannot read queue/orders");
	fprintf(out, "next %llu\n", (unsigned long long)ledger.next_id);
	orders_free(&orders);
	ledger_free(&ledger);
}

/* Runs it on root. What it says and whether it ended goes to out. */
static void
run_recovery(struct node *root, memfs_sink sink, void *owner, FILE *out)
{
	int left;

	memfs_begin(root, sink, owner);
	cleaning.count = 0;
	if (setjmp(memfs_exit) == 0) {
		recover(out);
		left = memfs_end();
		if (left != 0)
			fprintf(out, "left %d open\n", left);
	} else {
		(void)memfs_end();
		fprintf(out, "died %d\n", memfs_exit_code);
	}
	for (const char *line = memfs_said(); *line != '\0';) {
		size_t len = strcspn(line, "\n");

		fprintf(out, "said %.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

static void
print_hex(FILE *out, const struct blob *blob)
{
	for (size_t i = 0; i < blob->size; i++)
		fprintf(out, "%02x", (unsigned char)blob->data[i]);
}

static void
print_file(FILE *out, const char *path, const struct blob *blob, bool plain)
{
	const char *line = memchr(blob->data, '\n', blob->size);
	size_t head = line ? (size_t)(line - blob->data) + 1 : blob->size;

	fprintf(out, "file %s %zu %08x %08x ", path, blob->size,
	    (unsigned)crc32c(0, blob->data, blob->size),
	    (unsigned)crc32c(0, blob->data + head, blob->size - head));
	if (plain || strncmp(path, "mess/", 5) != 0)
		print_hex(out, blob);
	fprintf(out, "\n");
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
print_tree(FILE *out, const struct node *dir, const char *prefix, bool plain)
{
	for (size_t i = 0; i < dir->count; i++) {
		const struct entry *entry = &dir->entries[i];
		char path[512];

		snprintf(path, sizeof(path), "%s%s%s", prefix,
		    prefix[0] ? "/" : "", entry->name);
		if (entry->node->is_dir)
			print_tree(out, entry->node, path, plain);
		else if (plain ||
		    (strncmp(path, "journal/", 8) != 0 &&
			strcmp(path, "lock") != 0))
			print_file(out, path, entry->node->blob, plain);
	}
}

/* The lines of text in order, which does not depend on that of the names. */
static void
sort_lines(char *text)
{
	size_t count = 0, room = 0;
	char **lines = NULL, *copy = tree_need(strdup(text)), *to = text;

	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
		if (count == room) {
			room = room * 2 + 64;
			lines =
			    tree_need(realloc(lines, room * sizeof(*lines)));
		}
		lines[count++] = line;
	}
	if (count > 0)
		qsort(lines, count, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < count; i++)
		to += sprintf(to, "%s\n", lines[i]);
	free(lines);
	free(copy);
}

char *
recovering_result(struct node *tree, bool plain, memfs_sink sink, void *owner)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = tree_need(open_memstream(&text, &size));

	if (!plain)
		run_recovery(tree, sink, owner, out);
	print_tree(out, tree, "", plain);
	fclose(out);
	sort_lines(text);
	return text;
}
