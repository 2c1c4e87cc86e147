/* SYS_ numbers, O_DIRECTORY and the types of entries are outside POSIX */
#define _GNU_SOURCE 1
#include "conf/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "config.h"

#define GLANCE_DIR "control"

/* Names in control/ that are there, each between two slashes. */
static struct {
	struct str names;
	bool is_listed, has_no_links;
} glance = {.names = STR_INIT};

struct control_slot {
	struct span key, value;
	bool used;
};

const char *
control_home_path(void)
{
	const char *home = getenv("QMAILHOME");

	return home != NULL && home[0] != '\0' ? home : CONFIG_HOME;
}

int
control_home(void)
{
	const char *home = control_home_path();

	if (home[0] != '/') {
		errno = EINVAL;
		return -1;
	}
	return chdir(home);
}

#if defined(__linux__)

/* linux/dirent.h, of the kernel */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size; /* from here to the next one */
	uint8_t type;
	char name[];
};

/* True if one call had all of it: more would be a listing of several moments,
   between which a file may be renamed. */
static bool
list_names(int fd)
{
	_Alignas(struct entry) char entries[4096];
	long got = syscall(SYS_getdents64, fd, entries, sizeof(entries));
	bool has_links = false;

	str_append_char(&glance.names, '/');
	for (long at = 0; at < got;) {
		const struct entry *entry =
		    (const struct entry *)(const void *)(entries + at);

		/* a file system need not tell */
		has_links = has_links ||
		    (entry->type != DT_REG && entry->type != DT_DIR);
		str_append_cstr(&glance.names, entry->name);
		str_append_char(&glance.names, '/');
		at += entry->size;
	}
	glance.has_no_links = !has_links;
	return got > 0 &&
	    syscall(SYS_getdents64, fd, entries, sizeof(entries)) == 0;
}

#else

static bool
list_names(int fd)
{
	(void)fd;
	return false;
}

#endif

void
control_glance(void)
{
	int fd = fd_open(GLANCE_DIR, O_RDONLY | O_DIRECTORY, 0);

	str_clear(&glance.names);
	glance.is_listed = fd != -1 && list_names(fd);
	glance.has_no_links = glance.has_no_links && glance.is_listed;
	fd_close(fd);
}

bool
control_has_no_links(void)
{
	return glance.has_no_links;
}

bool
control_is_missing(const char *path)
{
	const char *name = path + strlen(GLANCE_DIR);
	struct str want = STR_INIT;
	bool is_missing;

	if (!glance.is_listed ||
	    strncmp(path, GLANCE_DIR "/", strlen(GLANCE_DIR "/")) != 0 ||
	    strchr(name + 1, '/') != NULL)
		return false;
	str_format(&want, "%s/", name);
	is_missing = strstr(glance.names.s, want.s) == NULL;
	str_free(&want);
	return is_missing;
}

int
control_read(const char *path, struct str *text)
{
	if (control_is_missing(path)) {
		errno = ENOENT;
		return -1;
	}
	return file_read(path, CONTROL_SIZE_MAX, text);
}

int
control_line(const char *path, struct str *value)
{
	struct str text = STR_INIT;
	struct span line;
	size_t end;

	if (control_read(path, &text) == -1) {
		int error = errno;

		str_free(&text);
		errno = error;
		return error == ENOENT ? 0 : -1;
	}
	line = str_span(&text);
	end = span_find(line, '\n');
	if (end != SPAN_NONE)
		line = span_until(line, end);
	str_copy(value, span_trim_right(line));
	str_free(&text);
	return 1;
}

int
control_line_default_me(
    const char *path, const char *literal, struct str *value)
{
	struct str me = STR_INIT;
	/* read first: whoever cannot know its name must not go on */
	int has_me = control_line("control/me", &me);
	int found = has_me == -1 ? -1 : control_line(path, value);

	if (found == 0 && has_me == 1) {
		str_copy(value, str_span(&me));
		found = 1;
	} else if (found == 0 && literal != NULL) {
		str_copy(value, span_of(literal));
		found = 1;
	}
	str_free(&me);
	return found;
}

int
control_number(const char *path, unsigned long *value)
{
	struct str line = STR_INIT;
	uint64_t number;
	int found = control_line(path, &line);

	if (found == 1) {
		if (num_leading_u64(str_span(&line), &number) == 0)
			found = 0;
		else
			*value = number > ULONG_MAX ? ULONG_MAX
						    : (unsigned long)number;
	}
	str_free(&line);
	return found;
}

/* FNV-1a over lower-cased bytes. */
static size_t
hash_key(struct span key)
{
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < key.len; i++) {
		hash ^= (unsigned char)span_lower(key.s[i]);
		hash *= 1099511628211u;
	}
	return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds key, or the free one where it would go. */
static struct control_slot *
find_slot(const struct control_table *table, struct span key)
{
	size_t i = hash_key(key) & (table->slot_count - 1);

	while (table->slots[i].used &&
	    !span_equal_nocase(table->slots[i].key, key))
		i = (i + 1) & (table->slot_count - 1);
	return &table->slots[i];
}

/* Takes the next line off *rest, trimmed as lists are. False at the end. */
static bool
next_entry(struct span *rest, struct span *entry)
{
	while (rest->len > 0) {
		size_t end = span_find(*rest, '\n');
		struct span line = *rest;

		if (end != SPAN_NONE)
			line = span_until(line, end);
		*rest =
		    span_from(*rest, end == SPAN_NONE ? rest->len : end + 1);
		*entry = span_trim_right(line);
		if (entry->len > 0 && entry->s[0] != '#')
			return true;
	}
	return false;
}

/* Fills table from its own text. */
static int
index_text(struct control_table *table, bool is_map)
{
	struct span rest = str_span(&table->text), entry;
	size_t lines = 0, slots = 8;

	while (next_entry(&rest, &entry))
		lines++;
	while (slots < lines * 2)
		slots *= 2;
	table->slots = mem_try_alloc(slots, sizeof(*table->slots));
	table->lines = mem_try_alloc(lines, sizeof(*table->lines));
	if (table->slots == NULL || table->lines == NULL) {
		control_table_free(table);
		errno = ENOMEM;
		return -1;
	}
	table->slot_count = slots;
	rest = str_span(&table->text);
	while (next_entry(&rest, &entry)) {
		struct span key = entry, value = {"", 0};
		struct control_slot *slot;

		if (is_map) {
			size_t colon = span_find(entry, ':');

			if (colon == SPAN_NONE)
				continue;
			key = span_until(entry, colon);
			value = span_from(entry, colon + 1);
		}
		slot = find_slot(table, key);
		*slot = (struct control_slot){key, value, true};
		table->lines[table->entry_count++] = entry;
	}
	return 0;
}

static int
read_table(const char *path, bool is_map, struct control_table *table)
{
	control_table_free(table);
	if (control_read(path, &table->text) == -1) {
		int error = errno;

		str_free(&table->text);
		errno = error;
		return error == ENOENT ? 0 : -1;
	}
	return index_text(table, is_map) == -1 ? -1 : 1;
}

int
control_list(const char *path, struct control_table *table)
{
	return read_table(path, false, table);
}

int
control_map(const char *path, struct control_table *table)
{
	return read_table(path, true, table);
}

int
control_list_of(struct span text, struct control_table *table)
{
	control_table_free(table);
	if (str_try_append(&table->text, text.s, text.len) == -1)
		return -1;
	return index_text(table, false);
}

bool
control_find(
    const struct control_table *table, struct span key, struct span *value)
{
	struct control_slot *slot;

	if (table->slot_count == 0)
		return false;
	slot = find_slot(table, key);
	if (slot->used)
		*value = slot->value;
	return slot->used;
}

bool
control_has(const struct control_table *table, struct span key)
{
	struct span value;

	return control_find(table, key, &value);
}

bool
control_find_domain(const struct control_table *table, struct span domain,
    bool empty_too, struct span *value)
{
	if (domain.len > 0 && control_find(table, domain, value))
		return true;
	for (size_t i = 0; i < domain.len; i++) {
		if (domain.s[i] == '.' &&
		    control_find(table, span_from(domain, i), value))
			return true;
	}
	return empty_too && control_find(table, (struct span){"", 0}, value);
}

void
control_table_free(struct control_table *table)
{
	free(table->slots);
	free(table->lines);
	str_free(&table->text);
	*table = (struct control_table)CONTROL_TABLE_INIT;
}
