/*
 * classify - whose recipient is it: local or remote, and under which address
 *
 * Pure over control tables, which are read once. The order of the steps:
 * envnoathost for an address without '@', percenthack as long as it applies,
 * locals, virtualdomains.
 */
#ifndef CONF_CLASSIFY_H
#define CONF_CLASSIFY_H

#include "base/attr.h"
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

/*
 * Reads control/envnoathost, locals, percenthack and virtualdomains into
 * *tables, which is CLASSIFY_TABLES_INIT. NULL, or the name of the file that
 * cannot be read (or that is needed and not there); then what was read so far
 * is still to be freed. Paths are relative to the home.
 */
MUST_USE const char *classify_tables_load(struct classify_tables *tables);
/* Reads locals and virtualdomains again. As above; but after a failure the
   tables are as they were. */
MUST_USE const char *classify_tables_reload(struct classify_tables *tables);
void classify_tables_free(struct classify_tables *tables);

/* Replaces *to by the address that recipient is delivered under, which always
   has an '@'. recipient must not lie in *to. */
enum channel_kind classify_recipient(const struct classify_tables *tables,
    struct span recipient, struct str *to);

/* The same for a recipient of a queued message, by its letter
   (mail/queue_file.h): L and R are local and remote whatever the tables say,
   and keep their address. */
enum channel_kind classify_queued(const struct classify_tables *tables,
    char letter, struct span recipient, struct str *to);

/*
 * The address as its sender knows it: without the prefix that virtualdomains
 * put before it, if the entry of its domain (not of the whole address) has
 * that prefix. A part of address.
 */
struct span classify_without_prefix(
    const struct classify_tables *tables, struct span address);

#endif
