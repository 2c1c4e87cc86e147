#include "admin/import_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/random.h"
#include "mail/queue_file.h"

enum {
	LIST_MAX = 1 << 30, /* bytes of the list: ten million messages */
	FILE_MODE = 0600,
};

/* ---- the set ------------------------------------------------------------ */

void
import_record_add(
    struct import_record *record, const struct import_entry *entry)
{
	if (record->count == record->room) {
		record->room = record->room * 2 + 1024;
		record->entries = mem_resize(
		    record->entries, record->room, sizeof(*record->entries));
	}
	record->entries[record->count++] = *entry;
}

static int
compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* By what they were there. */
static int
compare_entries(const void *a, const void *b)
{
	const struct import_entry *x = a, *y = b;
	int order = compare_numbers(x->number, y->number);

	if (order == 0)
		order = compare_numbers(x->size_bytes, y->size_bytes);
	if (order == 0)
		order = compare_numbers(x->mtime_s, y->mtime_s);
	return order;
}

static int
compare_all(const void *a, const void *b)
{
	const struct import_entry *x = a, *y = b;
	int order = compare_entries(x, y);

	return order != 0 ? order : compare_numbers(x->id, y->id);
}

void
import_record_sort(struct import_record *record)
{
	size_t kept = 0;

	if (record->count > 0)
		qsort(record->entries, record->count, sizeof(*record->entries),
		    compare_all);
	for (size_t i = 0; i < record->count; i++) {
		if (kept == 0 ||
		    compare_entries(
			&record->entries[kept - 1], &record->entries[i]) != 0)
			record->entries[kept++] = record->entries[i];
	}
	record->count = record->sorted = kept;
}

bool
import_record_has(
    const struct import_record *record, const struct import_entry *entry)
{
	return record->sorted > 0 &&
	    bsearch(entry, record->entries, record->sorted,
		sizeof(*record->entries), compare_entries) != NULL;
}

void
import_record_free(struct import_record *record)
{
	free(record->entries);
	*record = (struct import_record)IMPORT_RECORD_INIT;
}

/* ---- text --------------------------------------------------------------- */

/* Takes a number and the byte that ends it off *text. */
static int
take_number(struct span *text, char end, uint64_t *number)
{
	size_t len = span_find(*text, end);

	if (len == SPAN_NONE ||
	    num_parse_u64(span_until(*text, len), number) == -1)
		return -1;
	*text = span_from(*text, len + 1);
	return 0;
}

int
import_record_parse_origin(
    struct span origin, struct span key, struct import_entry *entry)
{
	if (!span_equal(queue_origin_key(origin), key) || origin.len == key.len)
		return -1;
	origin = span_from(origin, key.len + 1);
	if (take_number(&origin, '/', &entry->number) == -1 ||
	    take_number(&origin, '/', &entry->size_bytes) == -1)
		return -1;
	return num_parse_u64(origin, &entry->mtime_s);
}

int
import_record_parse(struct import_record *record, struct span text)
{
	struct import_entry entry;

	while (text.len > 0) {
		if (take_number(&text, ' ', &entry.number) == -1 ||
		    take_number(&text, ' ', &entry.size_bytes) == -1 ||
		    take_number(&text, ' ', &entry.mtime_s) == -1 ||
		    take_number(&text, '\n', &entry.id) == -1)
			return -1;
		import_record_add(record, &entry);
	}
	return 0;
}

static void
append_entry(struct str *to, const struct import_entry *entry)
{
	str_append_u64(to, entry->number);
	str_append_char(to, ' ');
	str_append_u64(to, entry->size_bytes);
	str_append_char(to, ' ');
	str_append_u64(to, entry->mtime_s);
	str_append_char(to, ' ');
	str_append_u64(to, entry->id);
	str_append_char(to, '\n');
}

/* ---- files -------------------------------------------------------------- */

/* 1; 0 if it is not there; -1. */
static int
read_file(int dir, const char *name, size_t max, struct str *to)
{
	int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int result = -1;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		errno = EBADMSG;
	else if (file_read_fd(fd, max, to) == 0)
		result = 1;
	else if (errno == EFBIG)
		errno = EBADMSG;
	fd_close(fd);
	return result;
}

/*
 * Makes or replaces a file: (1) the new one under another name, synced; a crash
 * leaves that name, which the next run removes; (2) renamed; (3) the directory
 * synced.
 */
static int
write_file(int dir, const char *name, const struct str *bytes)
{
	struct str new = STR_INIT;
	int fd, result = -1;

	str_format(&new, "%s.new", name);
	(void)unlinkat(dir, new.s, 0); /* O_EXCL finds what is left */
	fd = openat(dir, new.s,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd == -1)
		goto done;
	result = fd_write_all(fd, bytes->s, bytes->len);
	if (result == 0)
		result = fsync(fd);
	if (close(fd) == -1)
		result = -1;
	if (result == 0)
		result = renameat(dir, new.s, dir, name);
	if (result == 0)
		result = fsync(dir);
done:
	str_free(&new);
	return result;
}

static int
make_key(struct str *key)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[IMPORT_KEY_LEN / 2];

	if (random_fill(bytes, sizeof(bytes)) == -1)
		return -1;
	str_clear(key);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		str_append_char(key, digits[bytes[i] >> 4]);
		str_append_char(key, digits[bytes[i] & 15]);
	}
	return 0;
}

static bool
is_key(struct span key)
{
	for (size_t i = 0; i < key.len; i++) {
		if (!(key.s[i] >= '0' && key.s[i] <= '9') &&
		    !(key.s[i] >= 'a' && key.s[i] <= 'f'))
			return false;
	}
	return key.len == IMPORT_KEY_LEN;
}

int
import_record_load_key(int dir, bool create, struct str *key)
{
	int found;

	str_clear(key);
	found = read_file(dir, IMPORT_KEY_FILE, IMPORT_KEY_LEN + 1, key);
	if (found == -1)
		return -1;
	if (found == 1) {
		if (key->len > 0 && key->s[key->len - 1] == '\n')
			str_truncate(key, key->len - 1);
		/* it may be there without being durable yet */
		if (is_key(str_span(key)))
			return create ? fsync(dir) : 0;
		errno = EBADMSG;
		return -1;
	}
	if (!create)
		return 0;
	if (make_key(key) == -1)
		return -1;
	str_append_char(key, '\n');
	found = write_file(dir, IMPORT_KEY_FILE, key);
	str_truncate(key, IMPORT_KEY_LEN);
	return found;
}

int
import_record_load(int dir, struct import_record *record)
{
	struct str text = STR_INIT;
	int result = read_file(dir, IMPORT_LIST_FILE, LIST_MAX, &text);

	if (result == 1) {
		result = import_record_parse(record, str_span(&text));
		if (result == -1)
			errno = EBADMSG;
		else /* who renamed it may have died before this */
			result = fsync(dir);
	}
	str_free(&text);
	import_record_sort(record);
	return result == -1 ? -1 : 0;
}

int
import_record_save(int dir, struct import_record *record)
{
	struct str text = STR_INIT;
	int result;

	import_record_sort(record);
	for (size_t i = 0; i < record->count; i++)
		append_entry(&text, &record->entries[i]);
	result = write_file(dir, IMPORT_LIST_FILE, &text);
	str_free(&text);
	return result;
}
