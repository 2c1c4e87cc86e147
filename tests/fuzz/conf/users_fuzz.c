/* users: an assign file; what it compiles to must answer look-ups with
   entries that are whole, or be refused */
#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "conf/users.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *file;
	struct span assign = {(const char *)data, size};
	struct cdb_writer writer;
	struct users_entry entry;
	struct str found = STR_INIT;
	struct cdb cdb;
	size_t line, end;

	/* a look-up result as it comes from elsewhere */
	if (users_parse_entry(assign, &entry) == 0)
		assert(entry.ext.len < size && entry.uid != UINT32_MAX);
	if (file == NULL)
		file = tmpfile();
	assert(file != NULL);
	if (ftruncate(fileno(file), 0) == -1 ||
	    lseek(fileno(file), 0, SEEK_SET) == -1)
		return 0;
	cdb_writer_open(&writer, fileno(file));
	if (users_compile(assign, &writer, &line) == USERS_OK) {
		struct str path = STR_INIT, key = STR_INIT;

		assert(cdb_writer_finish(&writer) == 0);
		assert(cdb_open(&cdb, fileno(file)) == 0);
		assert(cdb_find(&cdb, SPAN_LITERAL(""), &found) == 1);
		str_format(&path, "/dev/fd/%d", fileno(file));
		/* the name of the first rule must be found */
		end = span_find(assign, ':');
		if (size > 0 && data[0] != '.' && end != SPAN_NONE)
			assert(users_find(path.s,
				   (struct span){assign.s + 1, end - 1},
				   &found) == 1 ||
			    found.len > USERS_DATA_MAX);
		(void)!users_find(path.s, SPAN_LITERAL("joe-x"), &found);
		str_free(&path);
		str_free(&key);
	}
	cdb_writer_free(&writer);
	str_free(&found);
	return 0;
}
