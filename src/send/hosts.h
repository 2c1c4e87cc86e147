/*
 * hosts - the remote hosts that mail is going to now: how many jobs each has
 *         and may have, and who waits for one of them to end
 *
 * A host begins with few jobs at a time. Each that it answers lets it have one
 * more, trouble with the connection halves their number. However many those
 * are, it takes no more than its fair share of the slots when few are left, so
 * that a slow host does not keep the others waiting. A host that let many
 * connections fail in a row is down: nothing is tried there for some time.
 *
 * A host lives while somebody holds it; one that is down is held here. Names
 * compare without ASCII case.
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

enum {
	HOSTS_START = 5,           /* jobs at a time, to begin with */
	HOSTS_RESERVE_MIN = 8,     /* of fewer slots none is kept for others */
	HOSTS_DOWN_AFTER = 10,     /* failed connections in a row */
	HOSTS_DOWN_MS = 60 * 1000, /* at first; twice as long each time */
	HOSTS_DOWN_MAX_MS = 60 * 60 * 1000,
	HOSTS_DOWN_MAX = 256, /* hosts remembered as down */
};

/* What a job says about its host. */
enum hosts_outcome {
	HOSTS_ANSWERED,
	HOSTS_BROKE,       /* the connection did, or it took too long */
	HOSTS_UNREACHABLE, /* there was none */
	HOSTS_UNKNOWN,     /* nothing */
};

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
	unsigned long limit;   /* of jobs, as it has proved itself */
	unsigned failures;     /* connections in a row */
	int64_t down_ms;       /* how long it is down this time; 0: it is not in
				  the list of those that were */
	int64_t down_until_ms;
	struct host_waiter *first, **end;
	struct host *wait_next, **wait_link; /* among those where some wait */
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
	struct host *waiting, **waiting_end; /* who is served next is first */
	struct host *down[HOSTS_DOWN_MAX];   /* the latest last */
	size_t down_count;
	/* the caller's: of the channel; concurrencyhost; by clock_mono_ms */
	size_t slots, used;
	unsigned long host_jobs;
	int64_t now_ms;
};

#define HOSTS_INIT                                                             \
	{                                                                      \
		.chains = NULL                                                 \
	}

/* Call before the first look-up: the seed keeps senders from choosing names
   that collide. */
void hosts_init(struct hosts *hosts, uint64_t seed);
void hosts_free(struct hosts *hosts);

/* The host of that name, held once more. */
struct host *hosts_hold(struct hosts *hosts, struct span name);
void hosts_release(struct hosts *hosts, struct host *host);

bool hosts_is_down(const struct hosts *hosts, const struct host *host);
/* Whether one more job may be started there. One always may if none runs. */
bool hosts_may_start(const struct hosts *hosts, const struct host *host);
/* A job there has ended so. */
void hosts_note(
    struct hosts *hosts, struct host *host, enum hosts_outcome outcome);
/* No host is down any more, whatever was. */
void hosts_forgive(struct hosts *hosts);

/* Holds the host while it waits. */
void hosts_wait(struct hosts *hosts, struct host *host, struct message *message,
    struct pass *pass);
/*
 * Takes off all waiters, of any host, of which is_wanted says so; it must not
 * touch the hosts. Returns them, linked by next, as the caller's to free. The
 * hosts are released, so that they may be gone.
 */
struct host_waiter *hosts_take_waiters(struct hosts *hosts,
    bool (*is_wanted)(void *owner, const struct host_waiter *waiter),
    void *owner);
/*
 * Takes the longest waiter off one of the hosts where one more job may be
 * started; they take turns. 1, or 0 if there is none: then *waiter is as it
 * was. Releases the hold, so that the host may be gone.
 */
MUST_USE int hosts_wake(struct hosts *hosts, struct host_waiter *waiter);

#endif
