/*
 * qmail-qtool - look at the queue and give it orders
 * Runs as: the caller, root or the owner of the queue; root becomes the owner
 *          of queue/, except for import, which reads a queue of other accounts
 * Trusts:  its arguments, control/; nothing that is in a queue
 * Reads:   control/, queue/, fd 0, a classic queue
 * Writes:  fd 1, run/control.sock; import: run/submit.sock, notes in the
 *          classic queue
 * Exit:    0 done; 1 no such message, or nothing matched; 100 wrong usage, or
 *          not allowed; 111 trouble: may be tried again
 *
 * Nothing here writes to the queue. Each verb is a module.
 */
#include <signal.h>
#include <string.h>

#include "admin/qtool.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/sig.h"

static const struct {
	const char *name;
	int (*handler)(int argc, char **argv);
} verbs[] = {
    {"expire", qtool_expire},
    {"force", qtool_force},
    {"hold", qtool_hold},
    {"import", qtool_import},
    {"list", qtool_list},
    {"release", qtool_release},
    {"remove", qtool_remove},
    {"show", qtool_show},
};

int
main(int argc, char **argv)
{
	die_init("qmail-qtool");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (sig_ignore(SIGPIPE) == -1)
		die_sys("cannot ignore SIGPIPE");
	for (size_t i = 0; argc > 1 && i < COUNT(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].handler(argc - 1, argv + 1);
	}
	qtool_usage("expire | force | hold | import | list | release | remove "
		    "| show ...");
}
