/*
 * hosts - the remote hosts that mail is going to now: how many jobs each has,
 *         and who waits for one of them to end
 *
 * A host lives while somebody holds it. Names compare without ASCII case.
 * Memory that runs out ends the process: all of it is read again from the
 * queue.
 */
#ifndef SEND_HOSTS_H
#define SEND_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

struct message;
struct pass;

/* A message that waits for a host: with its pass, or, to save memory, without
   (then its envelope is read again). */
struct host_waiter {
	struct host_waiter *next;
	struct message *message;
	struct pass *pass; /* or NULL */
};

struct host {
	struct host *next; /* in its chain of the table */
	size_t holds;
	unsigned long running; /* jobs */
	struct host_waiter *first, **end;
	/* for whoever groups recipients by host: a mark and a number */
	const void *mark;
	uint32_t number;
	size_t len;
	char name[]; /* lower case */
};

struct hosts {
	struct host **chains;
	size_t chain_count, count;
	uint64_t seed;
};

#define HOSTS_INIT                                                             \
	{                                                                      \
		NULL, 0, 0, 0                                                  \
	}

/* Call before the first look-up: the seed keeps senders from choosing names
   that collide. */
void hosts_init(struct hosts *hosts, uint64_t seed);
void hosts_free(struct hosts *hosts);

/* The host of that name, held once more. */
struct host *hosts_hold(struct hosts *hosts, struct span name);
void hosts_release(struct hosts *hosts, struct host *host);

/*
 * The first host in the chains from *chain on at which somebody waits though
 * it has fewer than host_jobs jobs, held once more; *chain moves behind its
 * chain. NULL at the end. Start with *chain 0.
 */
struct host *hosts_find_waiting(
    struct hosts *hosts, size_t *chain, unsigned long host_jobs);
/* Holds the host while it waits. */
void hosts_wait(struct host *host, struct message *message, struct pass *pass);
/*
 * Takes off all waiters, of any host, of which is_wanted says so; it must not
 * touch the hosts. Returns them, linked by next, as the caller's to free. The
 * hosts are released, so that they may be gone.
 */
struct host_waiter *hosts_take_waiters(struct hosts *hosts,
    bool (*is_wanted)(void *owner, const struct host_waiter *waiter),
    void *owner);
/* Takes the longest waiter off. 1, or 0 if there is none; then *waiter is as
   it was. Releases the hold, so that *host may be gone. */
MUST_USE int hosts_wake(
    struct hosts *hosts, struct host *host, struct host_waiter *waiter);

#endif
