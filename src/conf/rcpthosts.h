/*
 * rcpthosts - for which domains a receiver takes mail from strangers
 *
 * control/rcpthosts lists "domain" and ".domain" (what is below it), and
 * control/morercpthosts.cdb more of the same. Without control/rcpthosts only
 * what is delivered here is taken, so that a forgotten file makes no open
 * relay: the domains of control/locals (without that, control/me), and what
 * control/virtualdomains has under "user@domain", "domain" or ".domain"; the
 * first of these that is there decides, and an empty value means no. An
 * address without '@' is always taken.
 */
#ifndef CONF_RCPTHOSTS_H
#define CONF_RCPTHOSTS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "conf/control.h"
#include "conf/key_database.h"

struct rcpthosts {
	struct control_table hosts;    /* rcpthosts, or locals */
	struct control_table virtuals; /* used only if is_missing */
	bool is_missing;               /* control/rcpthosts is not there */
	struct key_database more;      /* control/morercpthosts.cdb */
};

#define RCPTHOSTS_INIT                                                         \
	{                                                                      \
		.hosts = CONTROL_TABLE_INIT, .virtuals = CONTROL_TABLE_INIT,   \
		.more = KEY_DATABASE_INIT("control/morercpthosts.cdb")         \
	}

/* Fills *hosts, which is RCPTHOSTS_INIT. Returns 0, or -1 with errno if a file
   is there and cannot be read. */
MUST_USE int rcpthosts_load(struct rcpthosts *hosts);
/* Returns 1 if mail for recipient is taken, 0 if not, -1 with errno if
   control/morercpthosts.cdb cannot be read. */
MUST_USE int rcpthosts_allows(struct rcpthosts *hosts, struct span recipient);
void rcpthosts_free(struct rcpthosts *hosts);

#endif
