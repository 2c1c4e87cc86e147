/*
 * qmail-lspawn - gives local jobs to a qmail-local under the recipient's uid
 * Runs as: root; or anybody, and then delivers to nobody else
 * Trusts:  descriptor 0 (qmail-send); not its workers; not qmail-getpw beyond
 *          whose mail it is, and never root or who carries the mail
 * Reads:   users/cdb, control/localidle, control/supplementarygroups
 * Writes:  descriptors 0 and 2
 * Children: bin/qmail-local -w with 0 a socket, 1 and 2 the log;
 *          bin/qmail-getpw with 0 queries, 1 answers, 2 the log
 * Exit:    0 descriptor 0 ended and all jobs are done; 100 wrong usage; 111
 *          failed
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "conf/accounts.h"
#include "conf/control.h"
#include "local/local_report.h"
#include "local/lspawn_delivery.h"
#include "net/pool.h"

enum {
	IDLE_S = 2, /* if there is no control/localidle */
	WORKER_JOBS = 1000,
	DEFAULT_DELIVERY_MAX = 32 * 1024,
};

static struct lspawn lspawn;

static void
load_accounts(void)
{
	const char *missing;

	lspawn.is_root = geteuid() == 0;
	missing = accounts_load(&lspawn.accounts);
	if (missing != NULL && errno == 0)
		die_temp("there is no account or group %s", missing);
	if (missing != NULL)
		die_sys("cannot find the account or group %s", missing);
	lspawn.getpw.drop = lspawn.is_root;
	lspawn.getpw.uid = lspawn.accounts.qmailp;
	lspawn.getpw.gid = lspawn.accounts.nofiles;
}

static unsigned
load_idle(void)
{
	unsigned long idle_s = IDLE_S;

	if (control_number("control/localidle", &idle_s) == -1)
		die_sys("cannot read control/localidle");
	return idle_s > POOL_BUSY_S ? POOL_BUSY_S : (unsigned)idle_s;
}

static bool
load_with_groups(void)
{
	unsigned long wanted = 0;

	if (control_number("control/supplementarygroups", &wanted) == -1)
		die_sys("cannot read control/supplementarygroups");
	return wanted != 0;
}

int
main(int argc, char **argv)
{
	struct pool_plan plan = {.recipients = 1,
	    .worker_jobs = WORKER_JOBS,
	    .text_max = REPORT_MAX,
	    .take = lspawn_take,
	    .start = lspawn_start,
	    .lost = local_report_lost,
	    .owner = &lspawn};

	die_init("qmail-lspawn");
	if (argc != 2 || strlen(argv[1]) > DEFAULT_DELIVERY_MAX)
		die_usage("qmail-lspawn defaultdelivery");
	lspawn.default_delivery = argv[1];
	lspawn.program = getenv("QMAILLOCAL");
	if (lspawn.program != NULL && lspawn.program[0] == '\0')
		lspawn.program = NULL;
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	load_accounts();
	plan.idle_s = load_idle();
	lspawn.with_groups = load_with_groups();
	getpw_client_init(&lspawn.getpw);
	lspawn.getpw.loop = &lspawn.pool.loop;
	if (pool_open(&lspawn.pool, &plan) == -1)
		die_sys("cannot use descriptor 0");
	if (pool_run(&lspawn.pool) == -1)
		die_sys("cannot wait");
	/* what is left ends as it sees its descriptor 0 end */
	pool_free(&lspawn.pool);
	return EXIT_OK;
}
