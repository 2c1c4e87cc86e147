#include "admin/classic_queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"

enum {
	SPLIT_MAX = 100000, /* numbered directories; conf-split is far less */
};

static const char *const names[CLASSIC_KINDS] = {
    "mess", "info", "local", "remote", "bounce", "todo", "intd"};

/* ---- listing ------------------------------------------------------------ */

static void
add_file(struct classic_queue *queue, enum classic_kind kind, uint32_t split,
    uint64_t number)
{
	if (queue->count == queue->room) {
		queue->room = queue->room * 2 + 1024;
		queue->files = mem_resize(
		    queue->files, queue->room, sizeof(*queue->files));
	}
	queue->files[queue->count++] =
	    (struct classic_file){number, split, kind};
}

/* True for a number as qmail writes it. */
static bool
parse_name(const char *name, uint64_t *number)
{
	return num_parse_u64(span_of(name), number) == 0 &&
	    (name[0] != '0' || name[1] == '\0');
}

static DIR *
open_directory(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd == -1)
		return NULL;
	dir = fdopendir(fd);
	if (dir == NULL)
		fd_close(fd);
	return dir;
}

/* Reads a directory to its end; take gets each name. 0, or -1 with errno. */
static int
for_each_name(struct classic_queue *queue, enum classic_kind kind,
    uint32_t split, const char *path,
    int (*take)(struct classic_queue *queue, enum classic_kind kind,
	uint32_t split, int dir, const char *name))
{
	DIR *dir = open_directory(queue->dir, path);
	int result = 0, error;

	if (dir == NULL)
		return -1;
	while (result == 0) {
		struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			result = errno == 0 ? 0 : -1;
			break;
		}
		if (entry->d_name[0] != '.')
			result =
			    take(queue, kind, split, dirfd(dir), entry->d_name);
	}
	error = errno;
	(void)closedir(dir); /* was only read */
	errno = error;
	return result;
}

static int
take_split_name(struct classic_queue *queue, enum classic_kind kind,
    uint32_t split, int dir, const char *name)
{
	uint64_t number;

	(void)dir;
	if (parse_name(name, &number))
		add_file(queue, kind, split, number);
	else
		queue->strange++;
	return 0;
}

static int
take_name(struct classic_queue *queue, enum classic_kind kind, uint32_t split,
    int dir, const char *name)
{
	struct str path = STR_INIT;
	struct stat st;
	uint64_t number;
	int result = 0;

	if (!parse_name(name, &number)) {
		queue->strange++;
		return 0;
	}
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISDIR(st.st_mode)) {
		add_file(queue, kind, split, number);
		return 0;
	}
	if (number >= SPLIT_MAX) {
		queue->strange++;
		return 0;
	}
	if (number >= queue->splits[kind])
		queue->splits[kind] = (uint32_t)number + 1;
	str_format(&path, "%s/%s", names[kind], name);
	result = for_each_name(
	    queue, kind, (uint32_t)number, path.s, take_split_name);
	str_free(&path);
	return result;
}

static int
compare_files(const void *a, const void *b)
{
	const struct classic_file *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (int)x->kind - (int)y->kind;
}

/* There is one conf-split. A copy may have lost directories that were empty. */
static void
agree_on_splits(struct classic_queue *queue)
{
	uint32_t most = 0;

	for (int kind = 0; kind < CLASSIC_KINDS; kind++) {
		if (queue->splits[kind] > most)
			most = queue->splits[kind];
	}
	for (int kind = 0; kind < CLASSIC_KINDS; kind++) {
		if (queue->splits[kind] > 0)
			queue->splits[kind] = most;
	}
}

int
classic_queue_list(struct classic_queue *queue, int dir, struct str *failed)
{
	*queue = (struct classic_queue){.dir = dir};
	for (int kind = 0; kind < CLASSIC_KINDS; kind++) {
		if (for_each_name(queue, (enum classic_kind)kind, CLASSIC_FLAT,
			names[kind], take_name) == 0)
			continue;
		if (errno == ENOENT && kind != CLASSIC_MESS)
			continue; /* a copy without empty directories */
		str_copy(failed, span_of(names[kind]));
		return -1;
	}
	agree_on_splits(queue);
	if (queue->count > 0)
		qsort(queue->files, queue->count, sizeof(*queue->files),
		    compare_files);
	return 0;
}

void
classic_queue_free(struct classic_queue *queue)
{
	free(queue->files);
	*queue = (struct classic_queue){.dir = -1};
}

bool
classic_queue_is(int dir)
{
	struct stat st;

	return fstatat(dir, "mess", &st, 0) == 0 && S_ISDIR(st.st_mode) &&
	    fstatat(dir, "env", &st, 0) == -1 &&
	    (fstatat(dir, "info", &st, 0) == 0 ||
		fstatat(dir, "todo", &st, 0) == 0);
}

/* ---- messages ----------------------------------------------------------- */

int
classic_queue_next(const struct classic_queue *queue, size_t *at,
    struct classic_message *message)
{
	if (*at == queue->count)
		return 0;
	*message = (struct classic_message){.number = queue->files[*at].number};
	for (;
	     *at < queue->count && queue->files[*at].number == message->number;
	     (*at)++) {
		const struct classic_file *file = &queue->files[*at];

		if (message->files[file->kind] != NULL)
			message->doubled = true;
		message->files[file->kind] = file;
	}
	return 1;
}

bool
classic_queue_is_in_place(
    const struct classic_queue *queue, const struct classic_file *file)
{
	uint32_t splits = queue->splits[file->kind];

	if (file->split == CLASSIC_FLAT)
		return splits == 0;
	return file->number % splits == file->split;
}

void
classic_queue_path(struct str *path, const struct classic_file *file)
{
	str_copy(path, span_of(names[file->kind]));
	str_append_char(path, '/');
	if (file->split != CLASSIC_FLAT) {
		str_append_u64(path, file->split);
		str_append_char(path, '/');
	}
	str_append_u64(path, file->number);
}

int
classic_queue_open(const struct classic_queue *queue,
    const struct classic_file *file, struct stat *st)
{
	struct str path = STR_INIT;
	int fd, error;

	classic_queue_path(&path, file);
	fd = openat(
	    queue->dir, path.s, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	str_free(&path);
	if (fd == -1)
		return -1;
	if (fstat(fd, st) == -1)
		error = errno;
	else if (S_ISREG(st->st_mode))
		return fd;
	else
		error = EINVAL;
	fd_close(fd);
	errno = error;
	return -1;
}
