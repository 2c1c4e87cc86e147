/*
 * qmail-newmrh - compile control/morercpthosts into a database
 * Runs as: root (who owns control/)    Trusts: control/morercpthosts
 * Reads:   control/morercpthosts
 * Writes:  control/morercpthosts.cdb, by way of control/morercpthosts.tmp
 * Exit:    0 done and on disk; 100 wrong usage; 111 failed, the database is as
 *          it was
 */
#include "admin/list_compile.h"

int
main(int argc, char **argv)
{
	(void)argv;
	return list_compile(argc, "qmail-newmrh", "morercpthosts");
}
