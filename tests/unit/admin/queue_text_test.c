/* queue_text: what qmail-qread prints, byte for byte */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/queue_text.h"
#include "base/attr.h"

#define HEAD "22 Nov 2026 18:46:21 GMT  #11043519  228  "

static const struct {
	const char *what, *sender, *recipients[3], *done;
	bool bouncing;
	const char *want;
} rows[] = {
    {"a message that waits for a local recipient", "s@x.dd.example",
	{"defer@local.example"}, "", false,
	HEAD "<s@x.dd.example> \n\tlocal\tdefer@local.example\n"},
    {"a remote one", "s@x", {"r@far.example"}, "", false,
	HEAD "<s@x> \n\tremote\tr@far.example\n"},
    {"what is done is marked, delivered or failed", "s@x",
	{"a@far.example", "b@far.example", "c@local.example"}, "DTF", true,
	HEAD "<s@x>  bouncing\n  done\tremote\ta@far.example\n"
	     "\tremote\tb@far.example\n  done\tlocal\tc@local.example\n"},
    {"a done file that is short or has other bytes marks nothing", "s@x",
	{"a@far.example", "b@far.example"}, "x", false,
	HEAD "<s@x> \n\tremote\ta@far.example\n\tremote\tb@far.example\n"},
    {"addresses are as they are delivered", "s@x", {"nohost", "u@vd.example"},
	"", false,
	HEAD "<s@x> \n\tremote\tnohost@noat.example\n"
	     "\tlocal\towner-u@vd.example\n"},
    {"a bounce has no sender", "", {"a@local.example"}, "", false,
	HEAD "<> \n\tlocal\ta@local.example\n"},
    {"what a terminal might obey is not shown", "\x1b[2J\n\t\xff\x7f x@y",
	{"a\nb\r@far.example"}, "", false,
	HEAD "<_[2J_____x@y> \n\tremote\ta_b_@far.example\n"},
    {"no recipients at all", "s@x", {NULL}, "", false, HEAD "<s@x> \n"},
};

/* A map comes by way of a file, as in life. */
static void
load_virtuals(struct classify_tables *tables)
{
	static const char text[] = "vd.example:owner\n";
	char path[] = "/tmp/queue_text_test.XXXXXX";
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	assert_int_equal(
	    write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(control_map(path, &tables->virtualdomains), 1);
	assert_int_equal(unlink(path), 0);
}

static void
load(struct classify_tables *tables)
{
	str_copy(&tables->envnoathost, SPAN_LITERAL("noat.example"));
	assert_int_equal(
	    control_list_of(SPAN_LITERAL("local.example\n"), &tables->locals),
	    0);
	assert_int_equal(
	    control_list_of(SPAN_LITERAL(""), &tables->percenthack), 0);
	load_virtuals(tables);
}

static void
prints(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct classify_tables tables = CLASSIFY_TABLES_INIT;
		struct queue_text text = {.id = 11043519,
		    .done = span_of(rows[i].done),
		    .bouncing = rows[i].bouncing};
		struct queue_envelope head = {.birth_s = 1795373181,
		    .size_bytes = 228,
		    .sender = span_of(rows[i].sender)};
		struct str env = STR_INIT, got = STR_INIT;

		load(&tables);
		queue_envelope_append_head(&env, &head);
		for (size_t j = 0; j < 3 && rows[i].recipients[j] != NULL; j++)
			queue_envelope_append_recipient(
			    &env, span_of(rows[i].recipients[j]));
		queue_envelope_append_end(&env, 0);
		assert_int_equal(
		    queue_envelope_decode(str_span(&env), &text.envelope), 0);
		queue_text_append(&got, &text, &tables);
		if (strcmp(got.s, rows[i].want) != 0)
			fail_msg("%s: got %s", rows[i].what, got.s);
		str_free(&env);
		str_free(&got);
		classify_tables_free(&tables);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
