#include "send/hosts.h"

#include <assert.h>
#include <stdlib.h>

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

struct host *
hosts_find_waiting(struct hosts *hosts, size_t *chain, unsigned long host_jobs)
{
	while (*chain < hosts->chain_count) {
		struct host *host = hosts->chains[(*chain)++];

		while (host != NULL &&
		    (host->first == NULL || host->running >= host_jobs))
			host = host->next;
		if (host != NULL) {
			host->holds++;
			return host;
		}
	}
	return NULL;
}

void
hosts_wait(struct host *host, struct message *message, struct pass *pass)
{
	struct host_waiter *waiter = mem_alloc(1, sizeof(*waiter));

	waiter->message = message;
	waiter->pass = pass;
	*host->end = waiter;
	host->end = &waiter->next;
	host->holds++;
}

/* The same at one host; it is held by the caller. */
static void
take_waiters(struct host *host,
    bool (*is_wanted)(void *owner, const struct host_waiter *waiter),
    void *owner, struct host_waiter **taken)
{
	struct host_waiter **link = &host->first;

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
			take_waiters(host, is_wanted, owner, &taken);
			hosts_release(hosts, host);
			host = next;
		}
	}
	return taken;
}

int
hosts_wake(struct hosts *hosts, struct host *host, struct host_waiter *waiter)
{
	struct host_waiter *first = host->first;

	if (first == NULL)
		return 0;
	*waiter = *first;
	waiter->next = NULL;
	host->first = first->next;
	if (host->first == NULL)
		host->end = &host->first;
	free(first);
	hosts_release(hosts, host);
	return 1;
}
