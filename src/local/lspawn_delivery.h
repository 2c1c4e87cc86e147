/*
 * lspawn_delivery - one local job: whose mail it is, and who delivers it
 *
 * A job goes through these states, each of which ends with a report or the
 * next: looked up in users/cdb, asked of qmail-getpw, given to a worker (or,
 * with QMAILLOCAL, run).
 */
#ifndef LOCAL_LSPAWN_DELIVERY_H
#define LOCAL_LSPAWN_DELIVERY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"
#include "conf/accounts.h"
#include "local/getpw_client.h"
#include "net/pool.h"

enum {
	/* bytes; the queue takes about a thousand for the whole address */
	LSPAWN_ADDRESS_MAX = 8192,
};

struct lspawn {
	struct pool pool;
	struct getpw_client getpw;
	struct accounts accounts;
	bool is_root;
	bool with_groups; /* recipients get their supplementary groups */
	const char *default_delivery;
	const char *program; /* QMAILLOCAL, or NULL: workers */
};

/* For struct pool_plan; owner is the struct lspawn. */
void lspawn_take(void *owner, struct pool_job *job);
/* For struct pool_plan; subject is a struct users_entry. */
pid_t lspawn_start(void *owner, void *subject, int socket);

#endif
