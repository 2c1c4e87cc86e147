/*
 * fuzz - what fuzz targets share: a requirement, pieces of the input, files
 *
 * A target is given bytes and says with require what must be true of whatever
 * the module makes of them.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_report_fd(void *fd); /* of both compilers' libraries */

#define require(condition)                                                     \
	fuzz_require((condition), #condition, __FILE__, __LINE__)

static int fuzz_stderr = -1; /* while it is not descriptor 2 */

static inline void
fuzz_require(bool holds, const char *what, const char *file, int line)
{
	if (holds)
		return;
	dprintf(fuzz_stderr != -1 ? fuzz_stderr : 2, "%s:%d: not true: %s\n",
	    file, line, what);
	abort();
}

/* ---- pieces of the input ------------------------------------------------ */

/* The first byte; 0 if there is none. */
static inline unsigned char
fuzz_byte(struct span *input)
{
	unsigned char byte = 0;

	if (input->len > 0) {
		byte = (unsigned char)input->s[0];
		*input = span_from(*input, 1);
	}
	return byte;
}

/* Eight bytes, fewer at the end. */
static inline uint64_t
fuzz_number(struct span *input)
{
	uint64_t number = 0;

	for (int i = 0; i < 8 && input->len > 0; i++)
		number = number << 8 | fuzz_byte(input);
	return number;
}

/* What is before the next such byte, which is taken too; or all of it. */
static inline struct span
fuzz_until(struct span *input, char end)
{
	size_t at = span_find(*input, end);
	struct span part = at == SPAN_NONE ? *input : span_until(*input, at);

	*input = span_from(*input, at == SPAN_NONE ? input->len : at + 1);
	return part;
}

/* At most so many bytes. */
static inline struct span
fuzz_some(struct span *input, size_t len)
{
	struct span part =
	    span_until(*input, len < input->len ? len : input->len);

	*input = span_from(*input, part.len);
	return part;
}

static inline bool
fuzz_is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.s[i] < ' ' || text.s[i] > '~')
			return false;
	}
	return true;
}

/* How often the byte is there. */
static inline size_t
fuzz_count(struct span text, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.s[i] == byte;
	return count;
}

/* Expressions that libc reads or matches without a limit: each '+' doubles what
   is before it, and '{' can do more. Only an administrator can write them. */
static inline bool
fuzz_is_for_libc(struct span text)
{
	return span_find(text, '{') != SPAN_NONE ||
	    span_find(text, '\\') != SPAN_NONE || fuzz_count(text, '+') > 4;
}

/* ---- files -------------------------------------------------------------- */

/* Enters a new directory below TMPDIR, once a process. tools/run-fuzz removes
   it. */
static inline void
fuzz_enter_directory(void)
{
	static bool is_there;
	const char *parent = getenv("TMPDIR");
	char path[4096];
	int len;

	if (is_there)
		return;
	len = snprintf(path, sizeof(path), "%s/fuzz-XXXXXX",
	    parent != NULL ? parent : "/tmp");
	require(len > 0 && (size_t)len < sizeof(path));
	require(mkdtemp(path) != NULL && chdir(path) == 0);
	is_there = true;
}

static inline void
fuzz_write_file(const char *path, struct span bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	require(fd != -1);
	require(write(fd, bytes.s, bytes.len) == (ssize_t)bytes.len);
	require(close(fd) == 0);
}

static inline void
fuzz_make_directory(const char *path)
{
	struct stat st;

	require(mkdir(path, 0700) == 0 || stat(path, &st) == 0);
}

/* Puts /dev/null in the place of descriptor 2, where a module would write what
   it has to say about each input; fuzz_speak brings it back. require and the
   sanitizers still speak. */
static inline void
fuzz_hush(void)
{
	static int null = -1;

	if (fuzz_stderr == -1) {
		/* high, out of the way of programs with a descriptor 3 */
		fuzz_stderr = fcntl(2, F_DUPFD_CLOEXEC, 100);
		null = fcntl(open("/dev/null", O_WRONLY), F_DUPFD_CLOEXEC, 100);
		require(fuzz_stderr != -1 && null != -1);
	}
	__sanitizer_set_report_fd((void *)(intptr_t)fuzz_stderr);
	require(dup2(null, 2) == 2);
}

static inline void
fuzz_speak(void)
{
	require(dup2(fuzz_stderr, 2) == 2);
	__sanitizer_set_report_fd((void *)(intptr_t)2);
}

#endif
