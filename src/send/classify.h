/*
 * classify - whose recipient is it: local or remote, and under which address
 *
 * Pure over control tables that the caller has read. The order of the steps:
 * envnoathost for an address without '@', percenthack as long as it applies,
 * locals, virtualdomains.
 */
#ifndef SEND_CLASSIFY_H
#define SEND_CLASSIFY_H

#include "base/span.h"
#include "base/str.h"
#include "conf/control.h"

enum channel_kind {
	CHANNEL_LOCAL,
	CHANNEL_REMOTE,
	CHANNELS,
};

struct classify_tables {
	struct str envnoathost;
	struct control_table locals, percenthack, virtualdomains;
};

#define CLASSIFY_TABLES_INIT                                                   \
	{                                                                      \
		STR_INIT, CONTROL_TABLE_INIT, CONTROL_TABLE_INIT,              \
		    CONTROL_TABLE_INIT                                         \
	}

void classify_tables_free(struct classify_tables *tables);

/* Replaces *to by the address that recipient is delivered under, which always
   has an '@'. recipient must not lie in *to. */
enum channel_kind classify_recipient(const struct classify_tables *tables,
    struct span recipient, struct str *to);

/*
 * The address as its sender knows it: without the prefix that virtualdomains
 * put before it, if the entry of its domain (not of the whole address) has
 * that prefix. A part of address.
 */
struct span classify_without_prefix(
    const struct classify_tables *tables, struct span address);

#endif
