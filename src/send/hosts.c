#include "send/hosts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	CHAINS_MIN = 256,
};

void
hosts_init(struct hosts *hosts, uint64_t seed)
{
	hosts->seed = seed;
	hosts->chain_count = CHAINS_MIN;
	hosts->chains = mem_alloc(CHAINS_MIN, sizeof(*hosts->chains));
	hosts->waiting_end = &hosts->waiting;
}

void
hosts_free(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->chain_count; i++) {
		while (hosts->chains[i] != NULL) {
			struct host *host = hosts->chains[i];

			hosts->chains[i] = host->next;
			while (host->first != NULL) {
				struct host_waiter *waiter = host->first;

				host->first = waiter->next;
				free(waiter);
			}
			free(host);
		}
	}
	free(hosts->chains);
	*hosts = (struct hosts)HOSTS_INIT;
}

static size_t
hash_name(const struct hosts *hosts, struct span name)
{
	uint64_t hash = hosts->seed;

	for (size_t i = 0; i < name.len; i++) {
		hash += (unsigned char)span_lower(name.s[i]);
		hash *= UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return (size_t)(hash ^ hash >> 32) & (hosts->chain_count - 1);
}

static struct span
name_of(const struct host *host)
{
	return (struct span){host->name, host->len};
}

static void
grow(struct hosts *hosts)
{
	struct host **old = hosts->chains;
	size_t old_count = hosts->chain_count;

	hosts->chain_count = old_count * 2;
	hosts->chains = mem_alloc(hosts->chain_count, sizeof(*old));
	for (size_t i = 0; i < old_count; i++) {
		while (old[i] != NULL) {
			struct host *host = old[i];
			size_t to = hash_name(hosts, name_of(host));

			old[i] = host->next;
			host->next = hosts->chains[to];
			hosts->chains[to] = host;
		}
	}
	free(old);
}

struct host *
hosts_hold(struct hosts *hosts, struct span name)
{
	size_t chain = hash_name(hosts, name);
	struct host *host;

	for (host = hosts->chains[chain]; host != NULL; host = host->next) {
		if (span_equal_nocase(name_of(host), name)) {
			host->holds++;
			return host;
		}
	}
	if (hosts->count >= hosts->chain_count) {
		grow(hosts);
		chain = hash_name(hosts, name);
	}
	assert(name.len < SIZE_MAX - sizeof(*host));
	host = mem_alloc(1, sizeof(*host) + name.len);
	for (size_t i = 0; i < name.len; i++)
		host->name[i] = span_lower(name.s[i]);
	host->len = name.len;
	host->holds = 1;
	host->limit = HOSTS_START;
	host->end = &host->first;
	host->next = hosts->chains[chain];
	hosts->chains[chain] = host;
	hosts->count++;
	return host;
}

void
hosts_release(struct hosts *hosts, struct host *host)
{
	struct host **link;

	assert(host->holds > 0);
	if (--host->holds > 0)
		return;
	link = &hosts->chains[hash_name(hosts, name_of(host))];
	while (*link != host)
		link = &(*link)->next;
	*link = host->next;
	hosts->count--;
	free(host);
}

/* ---- how many jobs ------------------------------------------------------ */

bool
hosts_is_down(const struct hosts *hosts, const struct host *host)
{
	return host->down_until_ms > hosts->now_ms;
}

/*
 * The slots are shared by the hosts that have work, and one more that may come.
 * More than its share a host gets only while more slots are left than the
 * quarter that is kept for others.
 */
bool
hosts_may_start(const struct hosts *hosts, const struct host *host)
{
	size_t working = hosts->count - hosts->down_count;
	size_t reserve =
	    hosts->slots >= HOSTS_RESERVE_MIN ? hosts->slots / 4 : 0;

	if (host->running == 0 || hosts_is_down(hosts, host))
		return true; /* where it is down, nothing is started */
	if (host->running >= host->limit || host->running >= hosts->host_jobs)
		return false;
	return host->running < hosts->slots / (working + 1) ||
	    hosts->slots > hosts->used + reserve;
}

/* Takes the host out of those that were down. */
static void
forget_down(struct hosts *hosts, struct host *host)
{
	size_t i = 0;

	if (host->down_ms == 0)
		return;
	host->down_ms = host->down_until_ms = 0;
	while (hosts->down[i] != host)
		i++;
	hosts->down_count--;
	memmove(hosts->down + i, hosts->down + i + 1,
	    (hosts->down_count - i) * sizeof(hosts->down[0]));
	hosts_release(hosts, host);
}

/* It is down, for the first time or again, and remembered for a while. */
static void
set_down(struct hosts *hosts, struct host *host)
{
	int64_t pause_ms =
	    host->down_ms == 0 ? HOSTS_DOWN_MS : host->down_ms * 2;

	if (pause_ms > HOSTS_DOWN_MAX_MS)
		pause_ms = HOSTS_DOWN_MAX_MS;
	host->holds++; /* for the list */
	forget_down(hosts, host);
	if (hosts->down_count == HOSTS_DOWN_MAX)
		forget_down(hosts, hosts->down[0]);
	hosts->down[hosts->down_count++] = host;
	host->down_ms = pause_ms;
	host->down_until_ms = hosts->now_ms + pause_ms;
}

void
hosts_note(struct hosts *hosts, struct host *host, enum hosts_outcome outcome)
{
	switch (outcome) {
	case HOSTS_ANSWERED:
		host->failures = 0;
		if (host->limit < hosts->host_jobs)
			host->limit++;
		forget_down(hosts, host); /* the caller holds it */
		return;
	case HOSTS_UNREACHABLE:
		host->failures++;
		if (host->failures >= HOSTS_DOWN_AFTER &&
		    !hosts_is_down(hosts, host))
			set_down(hosts, host);
		break;
	case HOSTS_BROKE:
		break;
	case HOSTS_UNKNOWN:
		return;
	}
	host->limit = host->limit > 2 ? host->limit / 2 : 1;
}

void
hosts_forgive(struct hosts *hosts)
{
	while (hosts->down_count > 0) {
		struct host *host = hosts->down[hosts->down_count - 1];

		host->failures = 0;
		host->limit = HOSTS_START;
		forget_down(hosts, host);
	}
}

/* ---- waiting ------------------------------------------------------------ */

static void
line_up(struct hosts *hosts, struct host *host)
{
	host->wait_next = NULL;
	host->wait_link = hosts->waiting_end;
	*hosts->waiting_end = host;
	hosts->waiting_end = &host->wait_next;
}

static void
step_out(struct hosts *hosts, struct host *host)
{
	*host->wait_link = host->wait_next;
	if (host->wait_next != NULL)
		host->wait_next->wait_link = host->wait_link;
	else
		hosts->waiting_end = host->wait_link;
}

void
hosts_wait(struct hosts *hosts, struct host *host, struct message *message,
    struct pass *pass)
{
	struct host_waiter *waiter = mem_alloc(1, sizeof(*waiter));

	if (host->first == NULL)
		line_up(hosts, host);
	waiter->message = message;
	waiter->pass = pass;
	*host->end = waiter;
	host->end = &waiter->next;
	host->holds++;
}

/* The same at one host; it is held by the caller. */
static void
take_waiters(struct hosts *hosts, struct host *host,
    bool (*is_wanted)(void *owner, const struct host_waiter *waiter),
    void *owner, struct host_waiter **taken)
{
	struct host_waiter **link = &host->first;
	bool waited = host->first != NULL;

	while (*link != NULL) {
		struct host_waiter *waiter = *link;

		if (!is_wanted(owner, waiter)) {
			link = &waiter->next;
			continue;
		}
		*link = waiter->next;
		waiter->next = *taken;
		*taken = waiter;
		host->holds--;
	}
	host->end = link;
	if (waited && host->first == NULL)
		step_out(hosts, host);
}

struct host_waiter *
hosts_take_waiters(struct hosts *hosts,
    bool (*is_wanted)(void *owner, const struct host_waiter *waiter),
    void *owner)
{
	struct host_waiter *taken = NULL;

	for (size_t i = 0; i < hosts->chain_count; i++) {
		struct host *host = hosts->chains[i];

		while (host != NULL) {
			struct host *next = host->next;

			host->holds++;
			take_waiters(hosts, host, is_wanted, owner, &taken);
			hosts_release(hosts, host);
			host = next;
		}
	}
	return taken;
}

int
hosts_wake(struct hosts *hosts, struct host_waiter *waiter)
{
	struct host *host = hosts->waiting;
	struct host_waiter *first;

	/* who may not start has a job that runs: these are few */
	while (host != NULL && !hosts_may_start(hosts, host))
		host = host->wait_next;
	if (host == NULL)
		return 0;
	first = host->first;
	*waiter = *first;
	waiter->next = NULL;
	host->first = first->next;
	step_out(hosts, host);
	if (host->first == NULL)
		host->end = &host->first;
	else
		line_up(hosts, host);
	free(first);
	hosts_release(hosts, host);
	return 1;
}
