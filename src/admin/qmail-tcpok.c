/*
 * qmail-tcpok - forget which hosts did not answer lately
 * Runs as: root, and then as qmailr    Trusts: nothing
 * Reads:   nothing                     Writes: run/tcpto
 * Exit:    0 forgotten; 100 wrong usage; 111 the table cannot be written
 */
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/privilege.h"
#include "conf/accounts.h"
#include "conf/control.h"
#include "net/tcpto.h"

int
main(int argc, char **argv)
{
	struct accounts accounts;
	const char *missing;

	(void)argv;
	die_init("qmail-tcpok");
	if (argc != 1)
		die_usage("qmail-tcpok");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (geteuid() == 0) {
		/* run/ is not root's: whoever owns it could lead root's pen
		   to any file */
		missing = accounts_load(&accounts);
		if (missing != NULL)
			die_temp("there is no account %s", missing);
		if (privilege_drop(accounts.qmailr, accounts.nofiles) == -1)
			die_sys("cannot become the account of qmail-remote");
	}
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	if (tcpto_clear(false) == -1)
		die_sys("cannot empty " TCPTO_PATH);
	return EXIT_OK;
}
