/* what a program of a .qmail line may do, and what it cannot */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "local/program_deliver.h"

static struct message message;

struct code_row {
	int code;
	enum program_verdict want;
};

static const struct code_row codes[] = {
    {0, PROGRAM_OK},
    {99, PROGRAM_STOP},
    {100, PROGRAM_PERM},
    {64, PROGRAM_PERM},
    {65, PROGRAM_PERM},
    {70, PROGRAM_PERM},
    {76, PROGRAM_PERM},
    {77, PROGRAM_PERM},
    {78, PROGRAM_PERM},
    {112, PROGRAM_PERM},
    {1, PROGRAM_TEMP},
    {66, PROGRAM_TEMP},
    {75, PROGRAM_TEMP},
    {98, PROGRAM_TEMP},
    {101, PROGRAM_TEMP},
    {111, PROGRAM_TEMP},
    {126, PROGRAM_TEMP},
    {127, PROGRAM_TEMP},
    {255, PROGRAM_TEMP},
};

static void
judges_exit_codes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(codes); i++)
		assert_int_equal(program_judge(codes[i].code), codes[i].want);
}

/* Runs command, its output collected, for at most timeout_s seconds. */
static enum program_verdict
run(const char *command, unsigned timeout_s, struct report *report)
{
	static char var[] = "GREETING=hello", path[] = "PATH=/usr/bin:/bin";
	char *env[] = {var, path, NULL};
	struct program program = {.command = command,
	    .env = env,
	    .is_collected = true,
	    .timeout_s = timeout_s};
	FILE *file = tmpfile();
	enum program_verdict verdict;

	assert_non_null(file);
	assert_true(fputs("the message\n", file) >= 0);
	assert_int_equal(fflush(file), 0);
	message_init(&message, fileno(file));
	verdict = program_deliver(&program, &message, report);
	report_finish(report);
	assert_int_equal(fclose(file), 0);
	return verdict;
}

struct row {
	const char *what, *command;
	enum program_verdict verdict;
	const char *text;
};

static const struct row rows[] = {
    {"both outputs are collected", "echo one; echo two >&2", PROGRAM_OK,
	"one\ntwo\n"},
    {"the message, from its start", "cat; exit 99", PROGRAM_STOP,
	"the message\n"},
    {"the environment is the given one", "echo $GREETING$HOME", PROGRAM_OK,
	"hello\n"},
    {"output may be closed early", "exec >&- 2>&-; exit 100", PROGRAM_PERM, ""},
    {"a command that is not there", "exec 2>&-; /nonexistent", PROGRAM_TEMP,
	""},
    {"killed", "kill -9 $$", PROGRAM_TEMP,
	"The program was killed by signal 9. (#4.3.0)\n"},
    {"SIGPIPE has its default", "kill -PIPE $$", PROGRAM_TEMP,
	"The program was killed by signal 13. (#4.3.0)\n"},
    {"who stays behind is not waited for", "sleep 600 & echo here; kill -0 $!",
	PROGRAM_OK, "here\n"},
    {"the text ends at a NUL", "printf 'a\\000b'", PROGRAM_OK, "a"},
};

static void
runs_programs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct report report = REPORT_INIT(REPORT_MAX);

		print_message("%s\n", rows[i].what);
		assert_int_equal(
		    run(rows[i].command, 60, &report), rows[i].verdict);
		assert_string_equal(report.text.s, rows[i].text);
		str_free(&report.text);
	}
}

static void
keeps_a_part_of_too_much(void **state)
{
	struct report report = REPORT_INIT(REPORT_MAX);
	static const char end[] = "\nThe report was too long: cut here.\n";

	(void)state;
	assert_int_equal(
	    run("head -c 1000000 /dev/zero | tr '\\000' x; exit 100", 60,
		&report),
	    PROGRAM_PERM);
	assert_int_equal(report.text.len, REPORT_MAX);
	assert_string_equal(report.text.s + report.text.len - strlen(end), end);
	assert_int_equal(report.text.s[0], 'x');
	str_free(&report.text);
}

static void
ends_what_does_not_end(void **state)
{
	struct report report = REPORT_INIT(0);
	int64_t start_ms = clock_mono_ms();

	(void)state;
	/* silent, and with a child that would outlive it */
	assert_int_equal(run("sleep 600 | cat", 1, &report), PROGRAM_TEMP);
	assert_string_equal(
	    report.text.s, "The program took too long. (#4.3.0)\n");
	str_free(&report.text);
	/* printing for ever */
	report = (struct report)REPORT_INIT(REPORT_MAX);
	assert_int_equal(
	    run("while :; do echo y; done", 1, &report), PROGRAM_TEMP);
	assert_int_equal(report.text.len, REPORT_MAX);
	assert_true(clock_mono_ms() - start_ms < 300 * 1000);
	str_free(&report.text);
}

static void
gives_a_day(void **state)
{
	(void)state;
	assert_int_equal(PROGRAM_TIME_MAX, 86400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(judges_exit_codes),
	    cmocka_unit_test(runs_programs),
	    cmocka_unit_test(keeps_a_part_of_too_much),
	    cmocka_unit_test(ends_what_does_not_end),
	    cmocka_unit_test(gives_a_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
