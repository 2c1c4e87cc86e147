/*
 * qmail-newmvrt - compile control/morevalidrcptto into a database
 * Runs as: root (who owns control/)    Trusts: control/morevalidrcptto
 * Reads:   control/morevalidrcptto
 * Writes:  control/morevalidrcptto.cdb, by way of control/morevalidrcptto.tmp
 * Exit:    0 done and on disk; 100 wrong usage; 111 failed, the database is as
 *          it was
 */
#include "admin/list_compile.h"

int
main(int argc, char **argv)
{
	(void)argv;
	return list_compile(argc, "qmail-newmvrt", "morevalidrcptto");
}
