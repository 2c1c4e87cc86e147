/*
 * qtool - the verbs of qmail-qtool, and what they share
 *
 * A handler gets the arguments from its verb on (argv[0] is the verb) and
 * returns the exit code, or ends the process with one line on stderr. The
 * working directory is still the caller's: qtool_open_queue leaves it.
 */
#ifndef ADMIN_QTOOL_H
#define ADMIN_QTOOL_H

#include <stddef.h>
#include <stdint.h>

#include "admin/queue_control.h"
#include "base/attr.h"
#include "mail/order_set.h"

enum {
	QTOOL_NO_MATCH = 1, /* exit code: no such message, nothing matched */
};

/* ---- handlers ----------------------------------------------------------- */

int qtool_expire(int argc, char **argv);
int qtool_force(int argc, char **argv);
int qtool_hold(int argc, char **argv);
int qtool_import(int argc, char **argv);
int qtool_list(int argc, char **argv);
int qtool_release(int argc, char **argv);
int qtool_remove(int argc, char **argv);
int qtool_show(int argc, char **argv);

/* ---- shared ------------------------------------------------------------- */

/*
 * Changes to the home and opens queue/ there; root becomes its owner. Ends the
 * process if this one may not read the queue. The descriptor lives as long as
 * the process.
 */
int qtool_open_queue(void);
/* The message number that text is; ends the process if it is none. */
uint64_t qtool_parse_id(const char *text);
/*
 * The message numbers that the arguments are; "-" stands for those that
 * standard input has, with white space between them. Ends the process if
 * something is no number.
 */
struct qtool_ids {
	uint64_t *ids;
	size_t count, room;
};
void qtool_add_id(struct qtool_ids *list, uint64_t id);
void qtool_take_ids(struct qtool_ids *list, int argc, char **argv);
/* The orders that stand, as qmail-queued tells them, or if it does not run, as
   its file has them. After qtool_open_queue. */
void qtool_load_orders(int queue_dir, struct order_set *orders);
/* Connects to qmail-queued, or ends the process. After qtool_open_queue. */
void qtool_open_control(struct queue_control *control);
/* Ends the process: errno is of a call of queue_control. */
NORETURN void qtool_fail_control(void);
/* Complains about the arguments of a verb: exit 100. */
NORETURN void qtool_usage(const char *synopsis);

#endif
