/* netstrings in netstrings: what is taken, at every size of the buffer */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "accept/frame.h"
#include "base/attr.h"

static const struct {
	const char *what;
	const char *input;
	enum frame_result want; /* of reading it as one frame of frames */
} rows[] = {
    {"nothing inside", "0:,", FRAME_OK},
    {"one empty frame", "3:0:,,", FRAME_OK},
    {"two frames", "8:1:a,1:b,,", FRAME_OK},
    {"a comma and a colon as payload", "7:4:a,:,,,", FRAME_OK},
    {"what follows is left alone", "3:0:,,x", FRAME_OK},
    {"the end before a length", "", FRAME_LOST},
    {"the end in a length", "1", FRAME_LOST},
    {"the end behind a length", "3:", FRAME_LOST},
    {"the end in a payload", "9:6:abc", FRAME_LOST},
    {"a payload longer than its length", "4:1:ab", FRAME_INVALID},
    {"the end before the last comma", "3:0:,", FRAME_LOST},
    {"no length", ":,", FRAME_INVALID},
    {"no length inside", "2::,,", FRAME_INVALID},
    {"a sign", "+1:a,", FRAME_INVALID},
    {"a space", " 0:,", FRAME_INVALID},
    {"a leading zero", "00:,", FRAME_INVALID},
    {"a letter", "1a:", FRAME_INVALID},
    {"another byte for the comma", "3:0:,;", FRAME_INVALID},
    {"another byte for the inner comma", "3:0:;,", FRAME_INVALID},
    {"an inner frame without room for its comma", "3:1:a,,", FRAME_INVALID},
    {"an inner frame without room for its payload", "2:5:", FRAME_INVALID},
    {"an inner length that goes on outside", "1:1:a,", FRAME_INVALID},
    {"an inner length of outer digits", "2:11:", FRAME_INVALID},
    {"the longest frame", "200000000:", FRAME_LOST},
    {"one byte more", "200000001:", FRAME_TOO_BIG},
    {"as many digits as there are", "18446744073709551617:", FRAME_TOO_BIG},
    {"a length of 32 bits and a byte", "4294967297:", FRAME_TOO_BIG},
    {"too big inside", "20:200000001:", FRAME_TOO_BIG},
};

static enum frame_result
read_inner(struct frame *frame)
{
	enum frame_result result = frame_open(frame);
	size_t len;
	char to[3];

	while (result == FRAME_OK && frame_left(frame) > 0) {
		size_t before = frame_left(frame);

		result = frame_read(frame, to, sizeof(to), &len);
		if (result == FRAME_OK) {
			assert_in_range(len, 1, sizeof(to));
			assert_int_equal(before - len, frame_left(frame));
		}
	}
	return result == FRAME_OK ? frame_close(frame) : result;
}

static enum frame_result
read_all(struct frame *frame)
{
	enum frame_result result = frame_open(frame);

	while (result == FRAME_OK && frame_left(frame) > 0)
		result = read_inner(frame);
	return result == FRAME_OK ? frame_close(frame) : result;
}

static void
decides_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t size = 1; size < 8; size++) {
			size_t len = strlen(rows[i].input);
			struct frame frame;
			enum frame_result got;
			char buf[8];
			struct in in;
			int ends[2];

			assert_int_equal(pipe(ends), 0);
			assert_int_equal(
			    write(ends[1], rows[i].input, len), len);
			close(ends[1]);
			in_init(&in, ends[0], 10, buf, size);
			frame_init(&frame, &in);
			got = read_all(&frame);
			if (got != rows[i].want)
				fail_msg("%s, buffer of %zu: got %d",
				    rows[i].what, size, (int)got);
			close(ends[0]);
		}
	}
}

/* An outermost frame may be read after another. */
static void
reads_frames_in_a_row(void **state)
{
	char bytes[] = "1:a,2:bc,";
	struct frame frame;
	struct in in;
	char to[2];
	size_t len;

	(void)state;
	in_init(&in, -1, 1, bytes, sizeof(bytes) - 1);
	in.end = sizeof(bytes) - 1;
	in.eof = true;
	frame_init(&frame, &in);
	for (size_t want = 1; want <= 2; want++) {
		assert_int_equal(frame_open(&frame), FRAME_OK);
		assert_int_equal(
		    frame_read(&frame, to, sizeof(to), &len), FRAME_OK);
		assert_int_equal(len, want);
		assert_int_equal(
		    frame_read(&frame, to, sizeof(to), &len), FRAME_OK);
		assert_int_equal(len, 0);
		assert_int_equal(frame_close(&frame), FRAME_OK);
	}
	assert_int_equal(frame_open(&frame), FRAME_LOST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decides_rows),
	    cmocka_unit_test(reads_frames_in_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
