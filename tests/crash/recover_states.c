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
 *     differ from each other, all of which were recovered; cuts, and those
 * where every choice was made; and how many of the states are of cut recoveries
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
#include "base/pack.h"
#include "disk.h"
#include "memfs.h"
#include "oplog.h"
#include "queue/clean_work.h"
#include "queue/ledger.h"
#include "queue/orders.h"
#include "queue/recovery.h"
#include "queue/store.h"

enum {
	CHOICES_MAX = 4096,
	SPEC_MAX = 2 * CHOICES_MAX + 64,
	SEGMENT_KIB = 64,
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
	uint64_t seed;
	struct op *ops;
	size_t op_count;
	struct state_key *states; /* open addressing; hash 0: free */
	size_t state_count, state_room;
	size_t *result_sizes, result_count;
	uint64_t *result_hashes;
	char *seen; /* results of this cut */
	size_t built, different, complete_cuts, second;
	size_t since_nested;
} run = {.target = 2000, .complete_max = 64, .nested_each = 40, .seed = 1};

static void *
need(void *memory)
{
	if (memory == NULL)
		abort();
	return memory;
}

/* ---- choosers
 * ---------------------------------------------------------------- */

static struct {
	unsigned short picked[CHOICES_MAX], counts[CHOICES_MAX];
	size_t used;
	enum {
		FIXED,
		GIVEN,
		RANDOM
	} kind;
	int standard; /* FIXED: the choice */
	size_t at;    /* FIXED: but for this one */
	int other;
	size_t given;           /* GIVEN: so many of picked, then 0 */
	uint32_t flip;          /* RANDOM: of 2^16; else standard */
	uint64_t random, noise; /* states of generators */
} pick;

static uint32_t
next_random(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)(x >> 32);
}

static int
choose(void *owner, int count)
{
	size_t at = pick.used++;
	int value = 0;

	(void)owner;
	if (at >= CHOICES_MAX)
		abort();
	switch (pick.kind) {
	case FIXED:
		value = at == pick.at ? pick.other : pick.standard;
		break;
	case GIVEN:
		value = at < pick.given ? pick.picked[at] : 0;
		break;
	case RANDOM:
		value = pick.standard;
		if ((next_random(&pick.random) & 0xffff) < pick.flip)
			value =
			    (int)(next_random(&pick.random) % (uint32_t)count);
		break;
	}
	if (value >= count)
		value = count - 1;
	pick.picked[at] = (unsigned short)value;
	pick.counts[at] = (unsigned short)count;
	return value;
}

/* Follows from the choices before it, so that these are all of a state. */
static uint32_t
noise(void *owner)
{
	(void)owner;
	if (pick.noise == 0) {
		pick.noise = run.seed;
		for (size_t i = 0; i < pick.used; i++)
			pick.noise = (pick.noise ^ pick.picked[i]) *
			    UINT64_C(0x100000001b3);
	}
	return next_random(&pick.noise);
}

static const struct chooser chooser = {choose, noise, NULL};

static struct node *
build(struct disk *disk, bool content)
{
	pick.used = 0;
	pick.noise = 0;
	return disk_build(disk, &chooser, content);
}

/* The choices that were made; several characters for those above 61. */
static void
append_spec(char *spec, size_t cut)
{
	char *to = spec + strlen(spec);

	to += sprintf(to, "%zu:", cut);
	for (size_t i = 0; i < pick.used; i++) {
		unsigned value = pick.picked[i];

		for (; value >= 25; value -= 25)
			*to++ = 'z';
		*to++ = (char)('a' + value);
	}
	*to = '\0';
}

/* The other way round; returns what is behind. */
static const char *
read_spec(const char *spec, size_t *cut)
{
	char *rest;
	unsigned add = 0;

	*cut = strtoul(spec, &rest, 10);
	pick.kind = GIVEN;
	pick.given = 0;
	for (spec = rest + 1; *spec != '\0' && *spec != ':'; spec++) {
		if (*spec == 'z') {
			add += 25;
			continue;
		}
		pick.picked[pick.given++] = (unsigned short)(*spec - 'a' + add);
		add = 0;
	}
	return *spec == ':' ? spec + 1 : spec;
}

/* ---- the qmail-cleans, without their processes
 * --------------------------------- */

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

/* ---- recovery
 * -------------------------------------------------------------------- */

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
print_file(FILE *out, const char *path, const struct blob *blob)
{
	const char *line = memchr(blob->data, '\n', blob->size);
	size_t head = line ? (size_t)(line - blob->data) + 1 : blob->size;

	fprintf(out, "file %s %zu %08x %08x ", path, blob->size,
	    (unsigned)crc32c(0, blob->data, blob->size),
	    (unsigned)crc32c(0, blob->data + head, blob->size - head));
	if (run.plain || strncmp(path, "mess/", 5) != 0)
		print_hex(out, blob);
	fprintf(out, "\n");
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
print_tree(FILE *out, const struct node *dir, const char *prefix)
{
	for (size_t i = 0; i < dir->count; i++) {
		const struct entry *entry = &dir->entries[i];
		char path[512];

		snprintf(path, sizeof(path), "%s%s%s", prefix,
		    prefix[0] ? "/" : "", entry->name);
		if (entry->node->is_dir)
			print_tree(out, entry->node, path);
		else if (run.plain ||
		    (strncmp(path, "journal/", 8) != 0 &&
			strcmp(path, "lock") != 0))
			print_file(out, path, entry->node->blob);
	}
}

/* The lines of text in order, which does not depend on that of the names. */
static void
sort_lines(char *text)
{
	size_t count = 0, room = 0;
	char **lines = NULL, *copy = need(strdup(text)), *to = text;

	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n")) {
		if (count == room) {
			room = room * 2 + 64;
			lines = need(realloc(lines, room * sizeof(*lines)));
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
	run.result_sizes = need(realloc(run.result_sizes,
	    (run.result_count + 1) * sizeof(*run.result_sizes)));
	run.result_hashes = need(realloc(run.result_hashes,
	    (run.result_count + 1) * sizeof(*run.result_hashes)));
	run.seen = need(realloc(run.seen, run.result_count + 1));
	run.seen[run.result_count] = 0;
	run.result_sizes[run.result_count] = size;
	run.result_hashes[run.result_count] = hash;
	printf("result %zu %zu\n", run.result_count, size);
	fwrite(text, 1, size, stdout);
	free(text);
	return (uint32_t)run.result_count++;
}

/* ---- states that were met
 * ----------------------------------------------------------- */

static struct state_key *
find_state(uint64_t hash)
{
	size_t at;

	if (run.state_count * 2 >= run.state_room) {
		struct state_key *old = run.states;
		size_t room = run.state_room;

		run.state_room = room * 2 + 65536;
		run.states = need(calloc(run.state_room, sizeof(*run.states)));
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
	char *text = NULL;
	size_t size = 0;
	FILE *out = need(open_memstream(&text, &size));

	if (!run.plain)
		run_recovery(tree, sink, owner, out);
	print_tree(out, tree, "");
	fclose(out);
	sort_lines(text);
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

/* ---- recoveries that are cut
 * ---------------------------------------------------------- */

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
		nested->ops = need(
		    realloc(nested->ops, nested->room * sizeof(*nested->ops)));
	}
	copy = &nested->ops[nested->count++];
	*copy = *op;
	if (op->path != NULL)
		copy->path = need(strdup(op->path));
	if (op->path2 != NULL)
		copy->path2 = need(strdup(op->path2));
	if (op->len > 0) {
		char *data = need(malloc(op->len));

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
random_kind(void)
{
	static const uint32_t flips[] = {65536, 65536, 32768, 8192, 2048};

	pick.kind = RANDOM;
	pick.flip = flips[next_random(&pick.random) % COUNT(flips)];
	pick.standard = (int)(next_random(&pick.random) & 1);
}

static void
second_cut(struct disk *disk, size_t cut, size_t at, const char *spec)
{
	char whole[SPEC_MAX * 2];
	struct state_key *state;
	struct node *tree;
	uint64_t hash;

	tree = build(disk, true);
	run.built++;
	run.second++;
	snprintf(whole, sizeof(whole), "%s:", spec);
	append_spec(whole, at);
	hash = node_hash(tree);
	state = find_state(hash);
	if (state->hash == 0) {
		uint32_t result = result_of(tree, NULL, NULL);

		run.different++;
		run.state_count++;
		*state = (struct state_key){hash ? hash : 1, result};
	}
	report(cut, state->result, whole);
	memfs_reset();
}

/* The tree is used up. */
static void
cut_recovery(struct node *tree, size_t cut, const char *spec)
{
	struct nested nested = {NULL, 0, 0};
	struct disk *disk = disk_from_tree(tree);
	bool fresh = false;

	(void)result_of(tree, keep_op, &nested);
	memfs_reset();
	for (size_t i = 0; i <= nested.count; i++) {
		bool last = i == nested.count;

		for (int n = 0; fresh && n < SECOND_STATES &&
		     (last || nested.ops[i].type == OPLOG_SYNC);
		     n++) {
			random_kind();
			if (n < 2) {
				pick.kind = FIXED;
				pick.standard = n;
				pick.at = SIZE_MAX;
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

/* ---- first cuts
 * -------------------------------------------------------------------------- */

static void
one_state(struct disk *disk, size_t cut)
{
	char spec[SPEC_MAX];
	struct state_key *state;
	struct node *tree;
	uint64_t hash;

	tree = build(disk, true);
	run.built++;
	spec[0] = '\0';
	append_spec(spec, cut);
	hash = node_hash(tree);
	state = find_state(hash);
	if (state->hash == 0) {
		uint32_t result;

		run.different++;
		run.state_count++;
		result = result_of(tree, NULL, NULL);
		*state = (struct state_key){hash ? hash : 1, result};
		report(cut, result, spec);
		memfs_reset();
		if (!run.plain && run.nested_each != 0 &&
		    ++run.since_nested >= run.nested_each) {
			run.since_nested = 0;
			pick.kind = GIVEN;
			pick.given = pick.used;
			cut_recovery(build(disk, true), cut, spec);
		}
		return;
	}
	report(cut, state->result, spec);
	memfs_reset();
}

/* The next of all choices, in picked; false behind the last. */
static bool
step(void)
{
	size_t at = pick.used;

	while (at > 0 && pick.picked[at - 1] + 1 == pick.counts[at - 1])
		at--;
	if (at == 0)
		return false;
	pick.picked[at - 1]++;
	pick.given = at;
	return true;
}

/* How many there are, as far as max. */
static size_t
count_choices(struct disk *disk, size_t max)
{
	size_t count = 0;

	pick.kind = GIVEN;
	pick.given = 0;
	do {
		(void)build(disk, false);
		count++;
	} while (count <= max && step());
	return count;
}

static void
all_choices(struct disk *disk, size_t cut)
{
	unsigned short picked[CHOICES_MAX], counts[CHOICES_MAX];

	pick.kind = GIVEN;
	pick.given = 0;
	for (;;) {
		size_t used;

		(void)build(disk, false);
		used = pick.used;
		memcpy(picked, pick.picked, used * sizeof(*picked));
		memcpy(counts, pick.counts, used * sizeof(*counts));
		pick.given = used;
		one_state(disk, cut);
		memcpy(pick.picked, picked, used * sizeof(*picked));
		memcpy(pick.counts, counts, used * sizeof(*counts));
		pick.used = used;
		pick.kind = GIVEN;
		if (!step())
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
		pick.kind = FIXED;
		pick.standard = standard;
		pick.at = SIZE_MAX;
		(void)build(disk, false);
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
				    next_random(&pick.random) % (total + 1) >
					budget / 4)
					continue;
				pick.kind = FIXED;
				pick.standard = standard;
				pick.at = i;
				pick.other = value;
				one_state(disk, cut);
				done++;
			}
		}
	}
	for (; done < budget; done++) {
		random_kind();
		one_state(disk, cut);
	}
}

static void
one_cut(struct disk *disk, size_t cut, size_t budget)
{
	size_t max = run.complete_max, count;

	if (run.result_count > 0)
		memset(run.seen, 0, run.result_count);
	count = count_choices(disk, max);
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
	char *to = need(malloc(len + 1));

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
	run.ops = need(calloc(head->count + 1, sizeof(*run.ops)));
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
	memfs_reset();
	real = disk_from_directory(run.after);
	b = node_hash(disk_current(real));
	memfs_reset();
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
	pick.kind = FIXED;
	pick.standard = 1;
	pick.at = SIZE_MAX;
	pick.other = 1;
	one_state(disk, cut);
}

static void
all_cuts(void)
{
	char *marks = need(calloc(run.op_count + 1, 1));
	size_t cuts = mark_turning_points(marks);
	size_t budget = run.target / cuts + 2;
	struct disk *disk = first_disk();

	pick.random = run.seed;
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

	rest = read_spec(run.spec, &cut);
	for (size_t i = 0; i < cut; i++)
		apply(disk, i);
	tree = build(disk, true);
	if (*rest != '\0') {
		struct disk *second = disk_from_tree(tree);

		(void)result_of(tree, keep_op, &nested);
		(void)read_spec(rest, &cut);
		for (size_t i = 0; i < cut; i++)
			(void)!disk_apply(second, &nested.ops[i]);
		tree = build(second, true);
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
			run.seed = strtoull(optarg, NULL, 10);
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
