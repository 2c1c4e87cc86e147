/*
 * qmail-qstat - count the messages in the queue
 * Runs as: the caller, root or someone of the group qmail; root becomes the
 *          owner of queue/
 * Trusts:  nothing
 * Reads:   queue/              Writes: fd 1, run/control.sock
 * Exit:    0 done; 100 wrong usage; 111 the queue cannot be read
 */
#include <signal.h>
#include <stdlib.h>

#include "admin/queue_view.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/out.h"
#include "base/sig.h"
#include "conf/control.h"

static char out_buffer[256];

int
main(int argc, char **argv)
{
	struct out out;
	uint64_t *ids;
	size_t count;
	int queue_dir;

	(void)argv;
	die_init("qmail-qstat");
	if (argc != 1)
		die_usage("qmail-qstat");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (sig_ignore(SIGPIPE) == -1)
		die_sys("cannot ignore SIGPIPE");
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	queue_dir = queue_view_open();
	if (queue_dir == -1)
		die_sys("cannot open queue");
	if (queue_view_list(queue_dir, &ids, &count) == -1)
		die_sys("cannot list queue/env");
	out_init(&out, 1, 0, out_buffer, sizeof(out_buffer));
	out_cstr(&out, "messages in queue: ");
	out_u64(&out, count);
	/* what is accepted can be delivered at once: there is no such step,
	   but those who read this count expect its line */
	out_cstr(&out, "\nmessages in queue but not yet preprocessed: 0\n");
	if (out_flush(&out) == -1)
		die_sys("cannot write");
	free(ids);
	return EXIT_OK;
}
