/*
 * recover_states - builds the states that power cuts leave, recovers from each
 *
 * recover_states [options] LOG
 *   -b DIR     what was there before the log begins (default: nothing)
 *   -v DIR     what is there at its end: checked first, against the model
 *   -p         plain: no recovery, only what is there
 *   -t N       about so many states (default 2000), shared by the cuts
 *   -x N       all choices, at a cut that has at most N (default 64)
 *   -n N       the recovery of each Nth state is cut too (default 40; 0: none)
 *   -s SEED    of what is chosen at random (default 1)
 *   -r SPEC -o DIR  builds that one state in DIR, and nothing else
 *
 * The recovery is qmail-queued's own code, on a file system in memory. Output:
 *   "result N BYTES" and so many bytes: what some recovery came to
 *   "state CUT N SPEC": after CUT operations one may come to result N; each
 *     pair once, with the first state that does
 *   "total BUILT DIFFERENT CUTS COMPLETE SECOND": states built; those that
 *     differ from each other, all of which were recovered from; cuts; those
 *     where every choice was made; and states that are of cut recoveries
 * A SPEC is CUT:CHOICES or CUT:CHOICES:CUT:CHOICES, the choices in letters.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "choices.h"
#include "disk.h"
#include "oplog.h"
#include "recovering.h"

enum {
	SECOND_STATES = 8, /* at a cut of a recovery */
};

struct state_key {
	uint64_t hash;
	uint32_t result;
};

static struct {
	const char *before, *after, *spec, *out;
	bool plain;
	size_t target, complete_max, nested_each;
	struct op *ops;
	size_t op_count;
	struct state_key *states; /* open addressing; hash 0: free */
	size_t state_count, state_room;
	size_t *result_sizes, result_count;
	uint64_t *result_hashes;
	char *seen; /* results of this cut */
	size_t built, different, complete_cuts, second;
	size_t since_nested;
} run = {.target = 2000, .complete_max = 64, .nested_each = 40};

/* The number of the result; text is taken over. */
static uint32_t
keep_result(char *text, size_t size)
{
	struct blob whole = {.size = size, .data = text};
	uint64_t hash = blob_hash(&whole);

	for (size_t i = 0; i < run.result_count; i++) {
		if (run.result_hashes[i] == hash &&
		    run.result_sizes[i] == size) {
			free(text);
			return (uint32_t)i;
		}
	}
	run.result_sizes = tree_need(realloc(run.result_sizes,
	    (run.result_count + 1) * sizeof(*run.result_sizes)));
	run.result_hashes = tree_need(realloc(run.result_hashes,
	    (run.result_count + 1) * sizeof(*run.result_hashes)));
	run.seen = tree_need(realloc(run.seen, run.result_count + 1));
	run.seen[run.result_count] = 0;
	run.result_sizes[run.result_count] = size;
	run.result_hashes[run.result_count] = hash;
	printf("result %zu %zu\n", run.result_count, size);
	fwrite(text, 1, size, stdout);
	free(text);
	return (uint32_t)run.result_count++;
}

/* ---- states that were met ----------------------------------------------- */

static struct state_key *
find_state(uint64_t hash)
{
	size_t at;

	if (run.state_count * 2 >= run.state_room) {
		struct state_key *old = run.states;
		size_t room = run.state_room;

		run.state_room = room * 2 + 65536;
		run.states =
		    tree_need(calloc(run.state_room, sizeof(*run.states)));
		for (size_t i = 0; i < room; i++) {
			if (old[i].hash != 0)
				*find_state(old[i].hash) = old[i];
		}
		free(old);
	}
	if (hash == 0)
		hash = 1;
	for (at = hash % run.state_room;
	     run.states[at].hash != 0 && run.states[at].hash != hash;)
		at = (at + 1) % run.state_room;
	return &run.states[at];
}

static uint32_t
result_of(struct node *tree, memfs_sink sink, void *owner)
{
	char *text = recovering_result(tree, run.plain, sink, owner);

	return keep_result(text, strlen(text));
}

static void
report(size_t cut, uint32_t result, const char *spec)
{
	if (run.seen[result])
		return;
	run.seen[result] = 1;
	printf("state %zu %u %s\n", cut, result, spec);
}

/* ---- recoveries that are cut -------------------------------------------- */

struct nested {
	struct op *ops;
	size_t count, room;
};

static void
keep_op(void *owner, const struct op *op)
{
	struct nested *nested = owner;
	struct op *copy;

	if (nested->count == nested->room) {
		nested->room = nested->room * 2 + 256;
		nested->ops = tree_need(
		    realloc(nested->ops, nested->room * sizeof(*nested->ops)));
	}
	copy = &nested->ops[nested->count++];
	*copy = *op;
	if (op->path != NULL)
		copy->path = tree_need(strdup(op->path));
	if (op->path2 != NULL)
		copy->path2 = tree_need(strdup(op->path2));
	if (op->len > 0) {
		char *data = tree_need(malloc(op->len));

		memcpy(data, op->data, op->len);
		copy->data = data;
	}
}

static void
free_ops(struct nested *nested)
{
	for (size_t i = 0; i < nested->count; i++) {
		free((void *)(uintptr_t)nested->ops[i].path);
		free((void *)(uintptr_t)nested->ops[i].path2);
		if (nested->ops[i].len > 0)
			free((void *)(uintptr_t)nested->ops[i].data);
	}
	free(nested->ops);
}

static void
second_cut(struct disk *disk, size_t cut, size_t at, const char *spec)
{
	char whole[CHOICES_SPEC_MAX * 2];
	struct state_key *state;
	struct node *tree;
	uint64_t hash;

	tree = choices_build(disk, true);
	run.built++;
	run.second++;
	snprintf(whole, sizeof(whole), "%s:", spec);
	choices_append(whole, at);
	hash = node_hash(tree);
	state = find_state(hash);
	if (state->hash == 0) {
		uint32_t result = result_of(tree, NULL, NULL);

		run.different++;
		run.state_count++;
		*state = (struct state_key){hash ? hash : 1, result};
	}
	report(cut, state->result, whole);
	tree_reset();
}

/* The tree is used up. */
static void
cut_recovery(struct node *tree, size_t cut, const char *spec)
{
	struct nested nested = {NULL, 0, 0};
	struct disk *disk = disk_from_tree(tree);
	bool fresh = false;

	(void)result_of(tree, keep_op, &nested);
	tree_reset();
	for (size_t i = 0; i <= nested.count; i++) {
		bool last = i == nested.count;

		for (int n = 0; fresh && n < SECOND_STATES &&
		     (last || nested.ops[i].type == OPLOG_SYNC);
		     n++) {
			choices_shuffle();
			if (n < 2) {
				choices_fix(n, SIZE_MAX, 0);
			}
			second_cut(disk, cut, i, spec);
		}
		if (last)
			break;
		if (!disk_apply(disk, &nested.ops[i])) {
			printf("hole in the record of a recovery\n");
			exit(1);
		}
		fresh = nested.ops[i].type != OPLOG_SYNC;
	}
	free_ops(&nested);
	disk_free(disk);
}

/* ---- first cuts --------------------------------------------------------- */

static void
one_state(struct disk *disk, size_t cut)
{
	char spec[CHOICES_SPEC_MAX];
	struct state_key *state;
	struct node *tree;
	uint64_t hash;

	tree = choices_build(disk, true);
	run.built++;
	spec[0] = '\0';
	choices_append(spec, cut);
	hash = node_hash(tree);
	state = find_state(hash);
	if (state->hash == 0) {
		uint32_t result;

		run.different++;
		run.state_count++;
		result = result_of(tree, NULL, NULL);
		*state = (struct state_key){hash ? hash : 1, result};
		report(cut, result, spec);
		tree_reset();
		if (!run.plain && run.nested_each != 0 &&
		    ++run.since_nested >= run.nested_each) {
			run.since_nested = 0;
			pick.kind = GIVEN;
			pick.given = pick.used;
			cut_recovery(choices_build(disk, true), cut, spec);
		}
		return;
	}
	report(cut, state->result, spec);
	tree_reset();
}

static void
all_choices(struct disk *disk, size_t cut)
{
	unsigned short picked[CHOICES_MAX], counts[CHOICES_MAX];

	pick.kind = GIVEN;
	pick.given = 0;
	for (;;) {
		size_t used;

		(void)choices_build(disk, false);
		used = pick.used;
		memcpy(picked, pick.picked, used * sizeof(*picked));
		memcpy(counts, pick.counts, used * sizeof(*counts));
		pick.given = used;
		one_state(disk, cut);
		memcpy(pick.picked, picked, used * sizeof(*picked));
		memcpy(pick.counts, counts, used * sizeof(*counts));
		pick.used = used;
		pick.kind = GIVEN;
		if (!choices_step())
			return;
	}
}

/* Each choice alone made otherwise than all others, or a share of them; then
   choices at random. */
static void
some_choices(struct disk *disk, size_t cut, size_t budget)
{
	unsigned short counts[CHOICES_MAX];
	size_t done = 0, used, total = 0;

	for (int standard = 0; standard < 2; standard++) {
		choices_fix(standard, SIZE_MAX, 0);
		(void)choices_build(disk, false);
		used = pick.used;
		memcpy(counts, pick.counts, used * sizeof(*counts));
		one_state(disk, cut);
		done++;
		total = 0;
		for (size_t i = 0; i < used; i++)
			total += counts[i] - 1u;
		for (size_t i = 0; i < used; i++) {
			for (int value = 0; value < counts[i]; value++) {
				if (value == standard ||
				    choices_random(&pick.random) % (total + 1) >
					budget / 4)
					continue;
				choices_fix(standard, i, value);
				one_state(disk, cut);
				done++;
			}
		}
	}
	for (; done < budget; done++) {
		choices_shuffle();
		one_state(disk, cut);
	}
}

static void
one_cut(struct disk *disk, size_t cut, size_t budget)
{
	size_t max = run.complete_max, count;

	if (run.result_count > 0)
		memset(run.seen, 0, run.result_count);
	count = choices_count(disk, max);
	if (count <= max) {
		run.complete_cuts++;
		all_choices(disk, cut);
	} else {
		some_choices(disk, cut, budget);
	}
}

/* ---- the log
 * ------------------------------------------------------------------------------
 */

static char *
copy_string(const char *from, size_t len)
{
	char *to = tree_need(malloc(len + 1));

	memcpy(to, from, len);
	to[len] = '\0';
	return to;
}

static void
load_log(const char *path)
{
	const struct oplog_head *head;
	const char *at, *end;
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd == -1 || fstat(fd, &st) == -1) {
		perror(path);
		exit(1);
	}
	head = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (head == MAP_FAILED)
		abort();
	at = (const char *)(head + 1);
	end = at + head->used;
	run.ops = tree_need(calloc(head->count + 1, sizeof(*run.ops)));
	while (at < end) {
		struct oplog_op op;
		const char *part = at + sizeof(op);

		memcpy(&op, at, sizeof(op));
		run.ops[run.op_count++] = (struct op){.type = op.type,
		    .pid = op.pid,
		    .path = copy_string(part, op.path_len),
		    .path2 = copy_string(part + op.path_len, op.path2_len),
		    .data = part + op.path_len + op.path2_len,
		    .len = op.data_len,
		    .ino = op.ino,
		    .off = op.off};
		at += op.size;
	}
}

static struct disk *
first_disk(void)
{
	return run.before ? disk_from_directory(run.before) : disk_new();
}

static void
apply(struct disk *disk, size_t at)
{
	struct op op = run.ops[at];

	if (op.type == OPLOG_TRUNCATE)
		op.data = NULL;
	if (disk_apply(disk, &op))
		return;
	printf("hole in the record: operation %zu, type %u, %s\n", at,
	    (unsigned)op.type, op.path);
	exit(1);
}

/* The model has seen all that happened. */
static void
verify(void)
{
	struct disk *disk = first_disk(), *real;
	uint64_t a, b;

	for (size_t i = 0; i < run.op_count; i++)
		apply(disk, i);
	a = node_hash(disk_current(disk));
	tree_reset();
	real = disk_from_directory(run.after);
	b = node_hash(disk_current(real));
	tree_reset();
	if (a != b) {
		printf("hole in the record: it ends differently\n");
		exit(1);
	}
	disk_free(disk);
	disk_free(real);
}

/*
 * What a cut may leave, and what was promised, grows until a sync takes states
 * away, or a request allows more: it is enough to look closely just before
 * these.
 */
static bool
is_turning_point(size_t at)
{
	return at == run.op_count || run.ops[at].type == OPLOG_SYNC ||
	    run.ops[at].type == OPLOG_HEAR;
}

/* Where to look closely: before the operations of these numbers. */
static size_t
mark_turning_points(char *marks)
{
	bool fresh = true;
	size_t count = 0;

	for (size_t i = 0; i <= run.op_count; i++) {
		marks[i] = fresh && is_turning_point(i);
		count += (size_t)marks[i];
		if (marks[i])
			fresh = false;
		if (i < run.op_count && run.ops[i].type != OPLOG_SYNC &&
		    run.ops[i].type != OPLOG_HEAR &&
		    run.ops[i].type != OPLOG_OPEN)
			fresh = true;
	}
	return count;
}

/* A kill here, without a power cut. */
static void
only_newest(struct disk *disk, size_t cut)
{
	memset(run.seen, 0, run.result_count);
	choices_fix(1, SIZE_MAX, 1);
	one_state(disk, cut);
}

static void
all_cuts(void)
{
	char *marks = tree_need(calloc(run.op_count + 1, 1));
	size_t cuts = mark_turning_points(marks);
	size_t budget = run.target / cuts + 2;
	struct disk *disk = first_disk();

	pick.random = pick.seed;
	for (size_t i = 0; i <= run.op_count; i++) {
		if (marks[i])
			one_cut(disk, i, budget);
		else if (i > 0 && run.ops[i - 1].type < OPLOG_SYNC)
			only_newest(disk, i);
		if (i < run.op_count)
			apply(disk, i);
	}
	printf("total %zu %zu %zu %zu %zu\n", run.built, run.different, cuts,
	    run.complete_cuts, run.second);
	disk_free(disk);
	free(marks);
}

/* ---- one state
 * ------------------------------------------------------------------------------
 */

static void
write_tree(const struct node *dir, const char *path)
{
	for (size_t i = 0; i < dir->count; i++) {
		const struct node *node = dir->entries[i].node;
		char child[4096];
		FILE *file;

		snprintf(
		    child, sizeof(child), "%s/%s", path, dir->entries[i].name);
		if (node->is_dir) {
			if (mkdir(child, 0750) == -1 && errno != EEXIST)
				perror(child);
			write_tree(node, child);
			continue;
		}
		file = fopen(child, "wb");
		if (file == NULL ||
		    fwrite(node->blob->data, 1, node->blob->size, file) !=
			node->blob->size ||
		    fclose(file) != 0) {
			perror(child);
			exit(1);
		}
	}
}

static void
only_one(void)
{
	struct nested nested = {NULL, 0, 0};
	struct disk *disk = first_disk();
	struct node *tree;
	const char *rest;
	size_t cut;

	rest = choices_read(run.spec, &cut);
	for (size_t i = 0; i < cut; i++)
		apply(disk, i);
	tree = choices_build(disk, true);
	if (*rest != '\0') {
		struct disk *second = disk_from_tree(tree);

		(void)result_of(tree, keep_op, &nested);
		(void)choices_read(rest, &cut);
		for (size_t i = 0; i < cut; i++)
			(void)!disk_apply(second, &nested.ops[i]);
		tree = choices_build(second, true);
	}
	if (run.out != NULL)
		write_tree(tree, run.out);
	printf("it comes to %u\n", result_of(tree, NULL, NULL));
}

int
main(int argc, char **argv)
{
	int letter;

	die_init("recovery");
	while ((letter = getopt(argc, argv, "b:v:pt:x:n:s:r:o:")) != -1) {
		switch (letter) {
		case 'b':
			run.before = optarg;
			break;
		case 'v':
			run.after = optarg;
			break;
		case 'p':
			run.plain = true;
			break;
		case 't':
			run.target = strtoul(optarg, NULL, 10);
			break;
		case 'x':
			run.complete_max = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			run.nested_each = strtoul(optarg, NULL, 10);
			break;
		case 's':
			pick.seed = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			run.spec = optarg;
			break;
		case 'o':
			run.out = optarg;
			break;
		default:
			return 100;
		}
	}
	if (optind + 1 != argc)
		return 100;
	load_log(argv[optind]);
	if (run.spec != NULL) {
		only_one();
		return 0;
	}
	if (run.after != NULL)
		verify();
	all_cuts();
	return 0;
}
