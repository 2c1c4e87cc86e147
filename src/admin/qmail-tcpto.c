/*
 * qmail-tcpto - list the hosts that did not answer lately
 * Runs as: whoever wants to know    Trusts: nothing
 * Reads:   run/tcpto                Writes: fd 1
 * Exit:    0 done; 100 wrong usage; 111 the table cannot be read, which is said
 *          on fd 1 too
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/out.h"
#include "base/sig.h"
#include "base/str.h"
#include "conf/control.h"
#include "net/tcpto.h"

static char out_buffer[4096];

static void
append_entry(struct str *line, const struct tcpto_entry *entry, int64_t now_s)
{
	ip_append(line, &entry->ip);
	str_append_format(line,
	    " timed out %lld seconds ago; # recent timeouts: %u\n",
	    now_s > entry->last_s ? (long long)(now_s - entry->last_s) : 0LL,
	    entry->count);
}

int
main(int argc, char **argv)
{
	struct tcpto_table table;
	struct tcpto_entry entry;
	struct str line = STR_INIT;
	struct out out;
	int64_t now_s = clock_now();
	size_t at = 0;
	int code = EXIT_OK;

	(void)argv;
	die_init("qmail-tcpto");
	if (argc != 1)
		die_usage("qmail-tcpto");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (sig_ignore(SIGPIPE) == -1)
		die_sys("cannot ignore SIGPIPE");
	out_init(&out, 1, 0, out_buffer, sizeof(out_buffer));
	/* trouble goes where the list goes: scripts read it there */
	if (control_home() == -1) {
		str_format(&line, "cannot change to %s: %s\n",
		    quote(control_home_path()), strerror(errno));
		code = EXIT_TEMP;
	} else if (tcpto_load(&table) == -1) {
		str_format(
		    &line, "cannot read " TCPTO_PATH ": %s\n", strerror(errno));
		code = EXIT_TEMP;
	} else {
		while (tcpto_table_next(&table, &at, &entry) == 1)
			append_entry(&line, &entry, now_s);
	}
	out_span(&out, str_span(&line));
	if (out_flush(&out) == -1)
		die_sys("cannot write");
	str_free(&line);
	return code;
}
