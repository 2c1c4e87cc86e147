#include "remote/mx.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
	MXPS_FIRST = 12800,
	MXPS_LAST = 13055,
	MXPS_RANK = 16,
	MXPS_QMTP = 1,
};

/* ---- order --------------------------------------------------------------- */

static uint32_t
next_random(uint32_t *state)
{
	/* a linear congruence is enough to spread load */
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static int
compare(const void *a, const void *b)
{
	const struct dns_record *one = a, *other = b;

	return (one->preference > other->preference) -
	    (one->preference < other->preference);
}

void
mx_sort(struct dns_records *records, unsigned seed)
{
	uint32_t state = seed;
	size_t start = 0;

	qsort(records->list, records->count, sizeof(*records->list), compare);
	while (start < records->count) {
		size_t end = start + 1;

		while (end < records->count &&
		    records->list[end].preference ==
			records->list[start].preference)
			end++;
		for (size_t i = end - 1; i > start; i--) {
			size_t j =
			    start + next_random(&state) % (i - start + 1);
			struct dns_record swap = records->list[i];

			records->list[i] = records->list[j];
			records->list[j] = swap;
		}
		start = end;
	}
}

bool
mx_is_qmtp(unsigned preference)
{
	return preference >= MXPS_FIRST && preference <= MXPS_LAST &&
	    (preference - MXPS_FIRST) % MXPS_RANK == MXPS_QMTP;
}

/* ---- addresses of one host ----------------------------------------------- */

/* What was learnt on the way through the exchangers. */
struct walk {
	const struct mx_source *source;
	struct mx_targets *targets;
	bool has_soft, has_name, has_own;
};

static bool
has_own(const struct mx_source *source, const struct dns_records *records)
{
	for (size_t i = 0; i < records->count; i++) {
		if (ip_is_own(&records->list[i].ip, source->own))
			return true;
	}
	return false;
}

static void
add(struct mx_targets *targets, const struct ip *ip, unsigned preference)
{
	if (targets->count == MX_TARGETS_MAX)
		return;
	for (size_t i = 0; i < targets->count; i++) {
		if (ip_is_equal(&targets->list[i].ip, ip))
			return;
	}
	targets->list[targets->count++] = (struct mx_target){*ip, preference};
}

/* Both kinds in turn, or IPv4 first where IPv6 leads nowhere. */
static void
add_all(struct walk *walk, const struct dns_records *six,
    const struct dns_records *four, unsigned preference)
{
	bool six_first =
	    six->count > 0 && walk->source->has_route(&six->list[0].ip);
	size_t i6 = 0, i4 = 0;

	for (size_t n = 0; n < MX_PER_HOST_MAX; n++) {
		bool turn6 = six_first && (n % 2 == 0 || i4 == four->count);

		if (i6 < six->count && (turn6 || i4 == four->count))
			add(walk->targets, &six->list[i6++].ip, preference);
		else if (i4 < four->count)
			add(walk->targets, &four->list[i4++].ip, preference);
	}
}

static void
add_host(struct walk *walk, struct span name, unsigned preference)
{
	const struct mx_source *source = walk->source;
	struct dns_records six, four;
	enum dns_status status6, status4;

	status4 = source->ask(source->context, name, DNS_TYPE_A, &four);
	/* what does not exist has no other addresses either */
	status6 = status4 == DNS_NO_NAME
	    ? DNS_NO_NAME
	    : source->ask(source->context, name, DNS_TYPE_AAAA, &six);
	if (status4 == DNS_NO_NAME)
		six = (struct dns_records)DNS_RECORDS_INIT;
	if (status4 == DNS_SOFT || status6 == DNS_SOFT)
		walk->has_soft = true;
	if (has_own(source, &four) || has_own(source, &six))
		walk->has_own = true;
	add_all(walk, &six, &four, preference);
	dns_records_free(&four);
	dns_records_free(&six);
}

/* ---- all together -------------------------------------------------------- */

static enum mx_status
conclude(const struct walk *walk, enum mx_status if_none)
{
	if (walk->targets->count > 0)
		return MX_FOUND;
	if (walk->has_soft)
		return MX_SOFT; /* who knows what it would have said */
	return walk->has_own ? MX_IS_ME : if_none;
}

/* Names from answers, in order, until one preference holds this machine. */
static enum mx_status
find_by_records(struct walk *walk, const struct dns_records *records)
{
	int64_t end_ms = clock_mono_ms() + (int64_t)MX_SEARCH_S * 1000;
	size_t group_start = 0, hosts = 0;

	for (size_t i = 0; i < records->count; i++) {
		const struct dns_record *one = &records->list[i];

		if (i == 0 ||
		    one->preference != records->list[i - 1].preference)
			group_start = walk->targets->count;
		if (one->name[0] == '\0')
			continue; /* a null MX among others says nothing */
		if (hosts++ == MX_HOSTS_MAX)
			break;
		if (clock_mono_ms() > end_ms) {
			walk->has_soft = true; /* slow, not absent */
			break;
		}
		add_host(walk, span_of(one->name), one->preference);
		if (walk->has_own) {
			walk->targets->count = group_start;
			break;
		}
		if (walk->targets->count == MX_TARGETS_MAX)
			break;
	}
	return conclude(walk, MX_NO_ADDRESS);
}

static bool
is_null_mx(const struct dns_records *records)
{
	for (size_t i = 0; i < records->count; i++) {
		if (records->list[i].name[0] != '\0')
			return false;
	}
	return records->count > 0;
}

static enum mx_status
find_by_address(struct walk *walk, struct span host, bool may_be_own)
{
	add_host(walk, host, 0);
	if (walk->has_own && !may_be_own)
		walk->targets->count = 0;
	return conclude(walk, MX_NO_HOST);
}

enum mx_status
mx_find(const struct mx_source *source, struct span host,
    struct mx_targets *targets)
{
	struct walk walk = {.source = source, .targets = targets};
	struct dns_records records;
	enum mx_status status;
	struct ip ip;

	targets->count = 0;
	if (ip_parse_literal(host, &ip) == 0) {
		if (ip_is_own(&ip, source->own))
			return MX_IS_ME;
		add(targets, &ip, 0);
		return MX_FOUND;
	}
	switch (source->ask(source->context, host, DNS_TYPE_MX, &records)) {
	case DNS_SOFT:
		return MX_SOFT;
	case DNS_NO_NAME:
	case DNS_NO_DATA:
		return find_by_address(&walk, host, false);
	case DNS_FOUND:
		break;
	}
	if (is_null_mx(&records)) {
		status = MX_NULL;
	} else {
		mx_sort(&records, source->seed);
		status = find_by_records(&walk, &records);
	}
	dns_records_free(&records);
	return status;
}

enum mx_status
mx_find_relay(const struct mx_source *source, struct span relay,
    struct mx_targets *targets)
{
	struct walk walk = {.source = source, .targets = targets};
	struct ip ip;

	targets->count = 0;
	if (ip_parse_literal(relay, &ip) == 0) {
		add(targets, &ip, 0);
		return MX_FOUND;
	}
	return find_by_address(&walk, relay, true);
}
