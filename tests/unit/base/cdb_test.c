/* cdb: known hashes, round trips, and files that are damaged */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cdb.h"
#include "base/pack.h"

static void
hashes(void **state)
{
	(void)state;
	assert_int_equal(cdb_hash(SPAN_LITERAL("")), 5381);
	assert_int_equal(cdb_hash(SPAN_LITERAL("!joe\0")), 0x05e43c84);
}

/* A database of its own descriptor, with count records "key N" -> "data N". */
static FILE *
make(size_t count)
{
	FILE *file = tmpfile();
	struct cdb_writer writer;
	struct str key = STR_INIT, data = STR_INIT;

	assert_non_null(file);
	cdb_writer_open(&writer, fileno(file));
	for (size_t i = 0; i < count; i++) {
		str_format(&key, "key %zu", i);
		str_format(&data, "data %zu", i);
		assert_int_equal(
		    cdb_writer_add(&writer, str_span(&key), str_span(&data)),
		    0);
	}
	assert_int_equal(cdb_writer_finish(&writer), 0);
	cdb_writer_free(&writer);
	str_free(&key);
	str_free(&data);
	return file;
}

static void
finds_what_was_written(void **state)
{
	static const size_t counts[] = {0, 1, 2, 300, 20000};
	struct str key = STR_INIT, want = STR_INIT, data = STR_INIT;

	(void)state;
	for (size_t c = 0; c < COUNT(counts); c++) {
		FILE *file = make(counts[c]);
		struct cdb cdb;

		assert_int_equal(cdb_open(&cdb, fileno(file)), 0);
		for (size_t i = 0; i < counts[c]; i++) {
			str_format(&key, "key %zu", i);
			str_format(&want, "data %zu", i);
			assert_int_equal(
			    cdb_find(&cdb, str_span(&key), &data), 1);
			assert_string_equal(data.s, want.s);
			assert_int_equal(data.len, want.len);
		}
		for (size_t i = 0; i < 1000; i++) {
			str_format(&key, "no key %zu", i);
			assert_int_equal(
			    cdb_find(&cdb, str_span(&key), &data), 0);
		}
		(void)fclose(file);
	}
	str_free(&key);
	str_free(&want);
	str_free(&data);
}

static void
keeps_odd_records(void **state)
{
	FILE *file = tmpfile();
	struct cdb_writer writer;
	struct str data = STR_INIT, large = STR_INIT;
	struct cdb cdb;

	(void)state;
	for (size_t i = 0; i < 70000; i++)
		str_append_char(&large, (char)i);
	cdb_writer_open(&writer, fileno(file));
	assert_int_equal(cdb_writer_add(&writer, SPAN_LITERAL("twice"),
			     SPAN_LITERAL("first")),
	    0);
	assert_int_equal(cdb_writer_add(&writer, SPAN_LITERAL("twice"),
			     SPAN_LITERAL("second")),
	    0);
	assert_int_equal(
	    cdb_writer_add(&writer, SPAN_LITERAL(""), SPAN_LITERAL("")), 0);
	assert_int_equal(
	    cdb_writer_add(&writer, str_span(&large), str_span(&large)), 0);
	assert_int_equal(cdb_writer_finish(&writer), 0);
	cdb_writer_free(&writer);

	assert_int_equal(cdb_open(&cdb, fileno(file)), 0);
	assert_int_equal(cdb_find(&cdb, SPAN_LITERAL("twice"), &data), 1);
	assert_string_equal(data.s, "first");
	assert_int_equal(cdb_find(&cdb, SPAN_LITERAL(""), &data), 1);
	assert_int_equal(data.len, 0);
	assert_int_equal(cdb_find(&cdb, str_span(&large), &data), 1);
	assert_true(span_equal(str_span(&data), str_span(&large)));
	str_free(&data);
	str_free(&large);
	(void)fclose(file);
}

/* The layout, byte for byte, of one record. */
static void
writes_the_known_layout(void **state)
{
	FILE *file = make(1);
	char all[2048 + 8 + 5 + 6 + 16 + 1];
	uint32_t hash = cdb_hash(SPAN_LITERAL("key 0"));
	const char *pair = all + (hash % 256) * 8;

	(void)state;
	assert_int_equal(
	    pread(fileno(file), all, sizeof(all), 0), sizeof(all) - 1);
	assert_int_equal(unpack_u32(pair), 2048 + 19);
	assert_int_equal(unpack_u32(pair + 4), 2);
	assert_int_equal(unpack_u32(all + 2048), 5);
	assert_int_equal(unpack_u32(all + 2052), 6);
	assert_memory_equal(all + 2056, "key 0data 0", 11);
	pair = all + 2048 + 19 + (hash >> 8) % 2 * 8;
	assert_int_equal(unpack_u32(pair), hash);
	assert_int_equal(unpack_u32(pair + 4), 2048);
	(void)fclose(file);
}

/* Every byte of a small file damaged in turn, and the file cut everywhere:
   any answer is right that comes. */
static void
survives_damage(void **state)
{
	FILE *file = make(3);
	int fd = fileno(file);
	off_t size = lseek(fd, 0, SEEK_END);
	struct str data = STR_INIT;
	struct cdb cdb;

	(void)state;
	for (off_t at = 0; at < size; at++) {
		static const char damage[] = {0, 1, 127, -1};
		char was;

		assert_int_equal(pread(fd, &was, 1, at), 1);
		for (size_t i = 0; i < sizeof(damage); i++) {
			assert_int_equal(pwrite(fd, damage + i, 1, at), 1);
			assert_int_equal(cdb_open(&cdb, fd), 0);
			(void)!cdb_find(&cdb, SPAN_LITERAL("key 1"), &data);
		}
		assert_int_equal(pwrite(fd, &was, 1, at), 1);
	}
	assert_int_equal(cdb_open(&cdb, fd), 0);
	for (off_t cut = size - 1; cut >= 0; cut--) {
		struct cdb short_cdb;

		assert_int_equal(ftruncate(fd, cut), 0);
		/* it shrinks while it is open */
		(void)!cdb_find(&cdb, SPAN_LITERAL("key 1"), &data);
		assert_int_equal(cdb_open(&short_cdb, fd), cut < 2048 ? -1 : 0);
		if (cut >= 2048)
			(void)!cdb_find(
			    &short_cdb, SPAN_LITERAL("key 1"), &data);
	}
	str_free(&data);
	(void)fclose(file);
}

/* Positions are 32 bits: the record that would pass them is refused. */
static void
stays_under_4_gib(void **state)
{
	FILE *file = tmpfile();
	struct cdb_writer writer;

	(void)state;
	assert_non_null(file);
	cdb_writer_open(&writer, fileno(file));
	writer.position = UINT32_MAX - 100;
	assert_int_equal(
	    cdb_writer_add(&writer, SPAN_LITERAL("k"), SPAN_LITERAL("d")), 0);
	writer.position = UINT32_MAX - 9;
	errno = 0;
	assert_int_equal(
	    cdb_writer_add(&writer, SPAN_LITERAL("k"), SPAN_LITERAL("d")), -1);
	assert_int_equal(errno, EFBIG);
	cdb_writer_free(&writer);
	(void)fclose(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hashes),
	    cmocka_unit_test(finds_what_was_written),
	    cmocka_unit_test(keeps_odd_records),
	    cmocka_unit_test(writes_the_known_layout),
	    cmocka_unit_test(survives_damage),
	    cmocka_unit_test(stays_under_4_gib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
