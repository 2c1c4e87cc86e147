/*
 * qmail-qread - list the messages in the queue
 * Runs as: the caller, root or someone of the group qmail; root becomes the
 *          owner of queue/
 * Trusts:  control/
 * Reads:   control/, queue/    Writes: fd 1, run/control.sock
 * Exit:    0 done; 100 wrong usage; 111 something cannot be read
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "admin/queue_text.h"
#include "admin/queue_view.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/out.h"
#include "base/sig.h"
#include "base/str.h"
#include "conf/classify.h"
#include "conf/control.h"
#include "mail/queue_file.h"

static struct {
	int queue_dir;
	struct classify_tables tables;
	struct out out;
	char out_buffer[16384];
	struct str env, done, text; /* of the message at hand */
} program = {.tables = CLASSIFY_TABLES_INIT,
    .env = STR_INIT,
    .done = STR_INIT,
    .text = STR_INIT};

/* Trouble with one message stands in the list, where it would have been. */
static void
warn_file(enum queue_kind kind, uint64_t id, const char *cause)
{
	struct str path = STR_INIT;

	queue_file_path(&path, kind, id);
	str_format(
	    &program.text, "warning: cannot read %s: %s\n", path.s, cause);
	out_span(&program.out, str_span(&program.text));
	str_free(&path);
}

static void
show(uint64_t id)
{
	struct queue_text text = {.id = id};
	int found = queue_view_read(
	    program.queue_dir, QUEUE_ENV, id, QUEUE_VIEW_ENV_MAX, &program.env);

	if (found == 0)
		return; /* it is over since it was listed */
	if (found == -1) {
		warn_file(QUEUE_ENV, id, strerror(errno));
		return;
	}
	if (queue_envelope_decode(str_span(&program.env), &text.envelope) ==
	    -1) {
		warn_file(QUEUE_ENV, id, "not an envelope");
		return;
	}
	if (queue_view_read(program.queue_dir, QUEUE_DONE, id,
		QUEUE_VIEW_DONE_MAX, &program.done) == -1) {
		warn_file(QUEUE_DONE, id, strerror(errno));
		return;
	}
	text.done = str_span(&program.done);
	text.bouncing = text.envelope.failures.len > 0 ||
	    queue_view_has(program.queue_dir, QUEUE_BOUNCE, id);
	str_clear(&program.text);
	queue_text_append(&program.text, &text, &program.tables);
	out_span(&program.out, str_span(&program.text));
}

int
main(int argc, char **argv)
{
	const char *bad;
	uint64_t *ids;
	size_t count;

	(void)argv;
	die_init("qmail-qread");
	if (argc != 1)
		die_usage("qmail-qread");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (sig_ignore(SIGPIPE) == -1)
		die_sys("cannot ignore SIGPIPE");
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	program.queue_dir = queue_view_open();
	if (program.queue_dir == -1)
		die_sys("cannot open queue");
	bad = classify_tables_load(&program.tables);
	if (bad != NULL)
		die_temp("cannot read %s", bad);
	if (queue_view_list(program.queue_dir, &ids, &count) == -1)
		die_sys("cannot list queue/env");
	out_init(
	    &program.out, 1, 0, program.out_buffer, sizeof(program.out_buffer));
	for (size_t i = 0; i < count && program.out.error == 0; i++)
		show(ids[i]);
	if (out_flush(&program.out) == -1)
		die_sys("cannot write");
	free(ids);
	classify_tables_free(&program.tables);
	str_free(&program.env);
	str_free(&program.done);
	str_free(&program.text);
	return EXIT_OK;
}
