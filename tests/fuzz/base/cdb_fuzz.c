/* cdb: the file is the input; look-ups that hit and miss */
#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cdb.h"
#include "base/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *file;
	static const char *const keys[] = {"", "!", "!joe", "example.org"};
	struct str found = STR_INIT;
	struct cdb cdb;

	if (file == NULL)
		file = tmpfile();
	assert(file != NULL);
	if (ftruncate(fileno(file), 0) == -1 ||
	    lseek(fileno(file), 0, SEEK_SET) == -1 ||
	    fd_write_all(fileno(file), (const char *)data, size) == -1)
		return 0;
	if (cdb_open(&cdb, fileno(file)) == 0) {
		for (size_t i = 0; i < COUNT(keys); i++) {
			if (cdb_find(&cdb, span_of(keys[i]), &found) == 1)
				assert(found.len <= size);
		}
		if (cdb_find(&cdb, SPAN_LITERAL("!joe\0"), &found) == 1)
			assert(found.len <= CDB_DATA_MAX);
	}
	str_free(&found);
	return 0;
}
