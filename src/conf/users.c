#include "conf/users.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/num.h"

enum {
	FIELDS = 6, /* user uid gid homedir dash ext */
};

static int
parse_id(struct span text, uint64_t *id)
{
	/* the largest 32-bit number means "no change" to the kernel */
	if (num_parse_u64(text, id) == -1 || *id >= UINT32_MAX)
		return -1;
	return 0;
}

int
users_parse_entry(struct span data, struct users_entry *entry)
{
	struct span fields[FIELDS];
	uint64_t uid, gid;

	for (size_t i = 0; i < FIELDS - 1; i++) {
		size_t end = span_find(data, '\0');

		if (end == SPAN_NONE)
			return -1;
		fields[i] = span_until(data, end);
		data = span_from(data, end + 1);
	}
	if (data.len > 0 && data.s[data.len - 1] == '\0')
		data.len--;
	if (span_find(data, '\0') != SPAN_NONE)
		return -1;
	if (parse_id(fields[1], &uid) == -1 || parse_id(fields[2], &gid) == -1)
		return -1;
	*entry = (struct users_entry){.user = fields[0],
	    .uid = (uid_t)uid,
	    .gid = (gid_t)gid,
	    .homedir = fields[3],
	    .dash = fields[4],
	    .ext = data};
	return 0;
}

static void
append_lower(struct str *to, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		str_append_char(to, span_lower(text.s[i]));
}

/* True if a start that ends in byte exists. The set of notqmail's newu has
   upper-case letters as they were typed, ours has none. */
static bool
ends_a_start(const struct str *set, char byte)
{
	for (size_t i = 0; i < set->len; i++) {
		if (span_lower(set->s[i]) == byte)
			return true;
	}
	return false;
}

/* key is "!" and the lower-cased local part. */
static int
find_start(
    const struct cdb *cdb, struct span local, struct str *key, struct str *data)
{
	struct str set = STR_INIT;
	int found = cdb_find(cdb, (struct span){"", 0}, &set);

	if (found == 0) { /* every users/cdb has this record */
		errno = EINVAL;
		found = -1;
	}
	if (found == -1)
		goto end;
	found = 0;
	for (size_t len = local.len;; len--) {
		if (len == 0 || ends_a_start(&set, key->s[len])) {
			str_truncate(key, len + 1);
			found = cdb_find(cdb, str_span(key), data);
			if (found != 0)
				break;
		}
		if (len == 0)
			break;
	}
	if (found == 1)
		str_append_span(data, span_from(local, key->len - 1));
end:
	str_free(&set);
	return found;
}

static int
find_in(const struct cdb *cdb, struct span local, struct str *data)
{
	struct str key = STR_INIT;
	int found;

	str_append_char(&key, '!');
	append_lower(&key, local);
	str_append_char(&key, '\0');
	found = cdb_find(cdb, str_span(&key), data);
	str_truncate(&key, key.len - 1);
	if (found == 0)
		found = find_start(cdb, local, &key, data);
	if (found == 1 && data->len > USERS_DATA_MAX) {
		errno = EINVAL;
		found = -1;
	}
	str_free(&key);
	return found;
}

int
users_find(const char *path, struct span local, struct str *data)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct cdb cdb;
	int found;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	found = cdb_open(&cdb, fd);
	if (found == 0)
		found = find_in(&cdb, local, data);
	fd_close(fd);
	return found;
}

/* Cuts a line into its first field and the six that become the data. */
static int
split_line(struct span line, struct span *name, struct str *data)
{
	size_t end = span_find(line, ':');

	if (end == SPAN_NONE || end == 0)
		return -1;
	*name = span_until(line, end);
	str_clear(data);
	for (size_t i = 0; i < FIELDS; i++) {
		line = span_from(line, end + 1);
		end = span_find(line, ':');
		if (end == SPAN_NONE)
			return -1;
		if (i > 0)
			str_append_char(data, '\0');
		str_append_span(data, span_until(line, end));
	}
	return 0;
}

static int
compile_line(struct span line, struct cdb_writer *writer, struct str *set)
{
	struct str key = STR_INIT, data = STR_INIT;
	struct span name;
	int result = USERS_BAD_LINE;

	if (split_line(line, &name, &data) == -1)
		goto end;
	str_append_char(&key, '!');
	append_lower(&key, span_from(name, 1));
	if (name.s[0] != '+') {
		str_append_char(&key, '\0');
	} else if (name.len > 1) {
		char last = span_lower(name.s[name.len - 1]);

		if (span_find(str_span(set), last) == SPAN_NONE)
			str_append_char(set, last);
	}
	result = cdb_writer_add(writer, str_span(&key), str_span(&data)) == -1
	    ? USERS_WRITE
	    : USERS_OK;
end:
	str_free(&key);
	str_free(&data);
	return result;
}

int
users_compile(struct span assign, struct cdb_writer *writer, size_t *line)
{
	struct str set = STR_INIT;
	int result = USERS_NO_END;

	for (*line = 1; assign.len > 0; ++*line) {
		size_t end = span_find(assign, '\n');
		struct span one = assign;

		if (assign.s[0] == '.') {
			result = cdb_writer_add(writer, (struct span){"", 0},
				     str_span(&set)) == -1
			    ? USERS_WRITE
			    : USERS_OK;
			break;
		}
		if (end == SPAN_NONE) /* cut off: the end is missing too */
			break;
		one = span_until(assign, end);
		assign = span_from(assign, end + 1);
		result = span_find(one, '\0') != SPAN_NONE
		    ? USERS_NUL
		    : compile_line(one, writer, &set);
		if (result != USERS_OK)
			break;
		result = USERS_NO_END;
	}
	str_free(&set);
	return result;
}
