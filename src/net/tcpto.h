/*
 * tcpto - run/tcpto: which hosts did not answer lately, so that not every
 * delivery waits for the same dead one
 *
 * 64 records of 16 bytes: 0-3 IPv4 address, 4 count of timeouts, 8-11 time of
 * the last one (little-endian seconds), the rest unused. An address with two
 * timeouts or more is left alone for one to one and a half hours since the
 * last. The file is a memory aid: if it is missing, unreadable or locked for
 * long, nothing is remembered and nothing fails. IPv6 has no place in it.
 */
#ifndef NET_TCPTO_H
#define NET_TCPTO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "net/ip.h"

enum {
	TCPTO_RECORDS = 64,
	TCPTO_RECORD_SIZE = 16,
	TCPTO_SIZE = TCPTO_RECORDS * TCPTO_RECORD_SIZE,
};

#define TCPTO_PATH "run/tcpto"

struct tcpto_table {
	char bytes[TCPTO_SIZE];
	size_t len; /* whole records that the file has */
};

/*
 * True if ip is to be skipped at now_s by the process pid (whose number
 * spreads the end of the pause). *known says whether ip has a record.
 */
bool tcpto_table_is_dead(const struct tcpto_table *table, const struct ip *ip,
    int64_t now_s, pid_t pid, bool *known);
/*
 * Records the outcome of a connect. Returns the offset of the record that
 * changed, or SPAN_NONE.
 */
size_t tcpto_table_note(struct tcpto_table *table, const struct ip *ip,
    int64_t now_s, bool timed_out);

/* One record with a timeout that is still remembered. */
struct tcpto_entry {
	struct ip ip;
	unsigned count; /* of timeouts, at least 1 */
	int64_t last_s; /* when the last one was */
};

/* The next such record at or after the offset *at, which starts as 0 and moves
   on. 1, or 0 at the end. */
MUST_USE int tcpto_table_next(
    const struct tcpto_table *table, size_t *at, struct tcpto_entry *entry);

/* Reads the table of the current directory. 0, or -1 with errno. */
MUST_USE int tcpto_load(struct tcpto_table *table);
/* As the calls above, on the file of the current directory. */
bool tcpto_is_dead(const struct ip *ip, bool *known);
/* known is what tcpto_is_dead said: other outcomes than a timeout are only
   worth a write for addresses with a record. */
void tcpto_note(const struct ip *ip, bool known, bool timed_out);
/* Empties the table; with make, a file that is missing is made. 0, or -1 with
   errno. */
MUST_USE int tcpto_clear(bool make);

#endif
