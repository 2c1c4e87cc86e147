/*
 * A name system that answers what the input says: addresses come in the order
 * of their preferences, no address twice, none of this machine, none that is
 * no better than this machine, and no more than the limits allow.
 */
#include "../fuzz.h"

#include "remote/mx.h"

struct names {
	struct span input;
	size_t questions;
	unsigned own_preference; /* the least that led to this machine */
};

static bool
has_route(const struct ip *ip)
{
	return (ip->bytes[15] & 1) == 0;
}

static void
add_record(struct dns_records *records, unsigned type, struct span *input)
{
	struct dns_record *one = &records->list[records->count++];
	unsigned char bytes[16] = {32, 1, 13, 184};

	memset(one, 0, sizeof(*one));
	if (type == DNS_TYPE_MX) {
		one->preference = fuzz_byte(input);
		one->name[0] = (char)fuzz_byte(input);
		return;
	}
	if (type == DNS_TYPE_A) {
		bytes[0] = fuzz_byte(input) % 8 == 0 ? 127 : 192;
		bytes[3] = fuzz_byte(input);
		one->ip = ip_from_bytes(4, bytes);
		return;
	}
	bytes[15] = fuzz_byte(input);
	one->ip = ip_from_bytes(6, bytes);
}

static enum dns_status
ask(void *context, struct span name, unsigned type, struct dns_records *records)
{
	struct names *names = context;
	unsigned char what = fuzz_byte(&names->input);

	(void)name;
	names->questions++;
	*records = (struct dns_records)DNS_RECORDS_INIT;
	if (what % 4 != 0)
		return what % 4 == 1 ? DNS_NO_DATA
		    : what % 4 == 2  ? DNS_NO_NAME
				     : DNS_SOFT;
	records->list = calloc(what / 4 + 1u, sizeof(*records->list));
	require(records->list != NULL);
	for (unsigned i = 0; i <= what / 4u; i++)
		add_record(records, type, &names->input);
	return DNS_FOUND;
}

static void
check_targets(
    const struct mx_targets *targets, enum mx_status status, bool may_be_own)
{
	static const struct ip_own own = IP_OWN_INIT;

	require((status == MX_FOUND) == (targets->count > 0));
	require(targets->count <= MX_TARGETS_MAX);
	for (size_t i = 0; i < targets->count; i++) {
		const struct mx_target *one = &targets->list[i];

		require(may_be_own || !ip_is_own(&one->ip, &own));
		require(i == 0 || one[-1].preference <= one->preference);
		for (size_t j = 0; j < i; j++)
			require(!ip_is_equal(&one->ip, &targets->list[j].ip));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ip_own own = IP_OWN_INIT;
	struct names names = {.input = {(const char *)data, size}};
	struct mx_source source = {
	    .ask = ask, .context = &names, .own = &own, .has_route = has_route};
	struct mx_targets targets;
	struct span host;

	source.seed = fuzz_byte(&names.input);
	host = fuzz_until(&names.input, '\0');
	check_targets(&targets, mx_find(&source, host, &targets), false);
	require(names.questions <= 1 + 2 * MX_HOSTS_MAX);
	names.questions = 0;
	check_targets(&targets, mx_find_relay(&source, host, &targets), true);
	require(names.questions <= 2);
	return 0;
}
