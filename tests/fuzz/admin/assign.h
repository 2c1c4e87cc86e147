/*
 * assign - users/assign compiled, and looked into as qmail-lspawn does
 */
#ifndef FUZZ_ADMIN_ASSIGN_H
#define FUZZ_ADMIN_ASSIGN_H

#include "../fuzz.h"

#include "conf/users.h"

/* The text must compile, and the database must know name: *found. */
static inline void
assign_find(struct span assign, struct span name, struct str *found)
{
	static FILE *file;
	struct str path = STR_INIT;
	struct cdb_writer writer;
	size_t line;

	if (file == NULL)
		file = tmpfile();
	require(file != NULL && ftruncate(fileno(file), 0) == 0 &&
	    lseek(fileno(file), 0, SEEK_SET) == 0);
	cdb_writer_open(&writer, fileno(file));
	require(users_compile(assign, &writer, &line) == USERS_OK);
	require(cdb_writer_finish(&writer) == 0);
	cdb_writer_free(&writer);
	str_format(&path, "/dev/fd/%d", fileno(file));
	require(users_find(path.s, name, found) == 1);
	str_free(&path);
}

#endif
