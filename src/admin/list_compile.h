/*
 * list_compile - control/NAME, a list, into the database control/NAME.cdb
 */
#ifndef ADMIN_LIST_COMPILE_H
#define ADMIN_LIST_COMPILE_H

/*
 * The program's main: reads control/NAME and puts a new control/NAME.cdb in
 * the place of the old one, by way of control/NAME.tmp. Dies on trouble, and
 * then the database is as it was; returns EXIT_OK.
 */
int list_compile(int argc, const char *program, const char *name);

#endif
