/*
 * An envelope, its done file, and jobs that begin and end as the input says:
 * each recipient that is neither done nor held is taken exactly once, those of
 * a job share a host, and no host has more jobs than it may.
 */
#include "../fuzz.h"

#include "mail/address.h"
#include "send/pass.h"

enum {
	RECIPIENTS_MAX = 200,
	JOBS_MAX = 8,
	HOST_JOBS = 2,
};

static struct hosts hosts;
static struct host *running[JOBS_MAX];
static size_t running_count;
static unsigned times[RECIPIENTS_MAX]; /* each was taken */

static void
start_job(struct pass *pass, size_t max, size_t room_bytes)
{
	uint32_t taken[RECIPIENTS_MAX];
	struct host *host;
	size_t count = pass_take(pass, &hosts, max, room_bytes, taken, &host);

	require(count <= max);
	if (count == 0) {
		require(host == NULL || host->running >= HOST_JOBS);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct span address = pass_address(pass, taken[i]);

		require(pass->recipients[taken[i]].index < RECIPIENTS_MAX);
		times[pass->recipients[taken[i]].index]++;
		if (host != NULL)
			require(span_equal_nocase(address_domain(address),
			    (struct span){host->name, host->len}));
	}
	require((host != NULL) == (pass->channel == CHANNEL_REMOTE));
	if (host != NULL) {
		require(host->running < HOST_JOBS);
		host->running++;
		running[running_count++] = host;
	}
}

static void
end_job(size_t which)
{
	struct host *host;

	if (running_count == 0)
		return;
	which %= running_count;
	host = running[which];
	running[which] = running[--running_count];
	host->running--;
	hosts_release(&hosts, host);
}

/* All that is left of a pass. */
static void
use_up(struct pass *pass, struct span *input)
{
	while (pass_has_more(pass)) {
		unsigned char what = fuzz_byte(input);

		if (running_count == JOBS_MAX || (what & 1) != 0)
			end_job(what / 2);
		else
			start_job(pass, what / 16 + 1u, what % 64);
		if (input->len == 0)
			while (running_count > 0)
				end_job(0);
	}
}

static void
check(const struct queue_envelope *envelope, struct span done,
    const struct pass_counts *counts)
{
	size_t todo =
	    counts->todo[CHANNEL_LOCAL] + counts->todo[CHANNEL_REMOTE];
	size_t held =
	    counts->held[CHANNEL_LOCAL] + counts->held[CHANNEL_REMOTE];
	size_t taken = 0;

	for (size_t i = 0; i < envelope->recipient_count; i++) {
		char mark = i < done.len ? done.s[i] : 'T';

		require(times[i] <= 1);
		if (mark == 'D' || mark == 'F')
			require(times[i] == 0);
		taken += times[i];
	}
	require(taken + held == todo && todo <= envelope->recipient_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const bool wanted[CHANNELS] = {true, true};
	struct span input = {(const char *)data, size}, done;
	struct classify_tables tables = CLASSIFY_TABLES_INIT;
	struct order_set orders = ORDER_SET_INIT;
	struct order hold = {.kind = ORDER_HOLD_DOMAIN,
	    .when_s = 1,
	    .key = SPAN_LITERAL(".held")};
	struct queue_envelope envelope = {
	    .birth_s = 1, .origin = {"", 0}, .failures = {"", 0}};
	struct str env = STR_INIT;
	struct pass *made[CHANNELS];
	struct pass_counts counts;

	hosts = (struct hosts)HOSTS_INIT;
	hosts_init(&hosts, fuzz_byte(&input));
	hosts.slots = JOBS_MAX;
	hosts.host_jobs = HOST_JOBS;
	memset(times, 0, sizeof(times));
	require(control_list_of(SPAN_LITERAL("here"), &tables.locals) == 0);
	require(order_set_add(&orders, &hold) == 1);
	done = fuzz_some(&input, fuzz_byte(&input) % 16);
	envelope.sender = fuzz_until(&input, '\0');
	queue_envelope_append_head(&env, &envelope);
	for (size_t i = fuzz_byte(&input) % RECIPIENTS_MAX; i > 0; i--)
		queue_envelope_append_recipient(&env, fuzz_until(&input, '\0'));
	queue_envelope_append_end(&env, 0);
	if (queue_envelope_decode(str_span(&env), &envelope) == 0) {
		pass_make(&envelope, done, &tables, &orders, &hosts, wanted,
		    made, &counts);
		for (size_t i = 0; i < CHANNELS; i++) {
			if (made[i] == NULL)
				continue;
			use_up(made[i], &input);
			pass_free(made[i], &hosts);
		}
		check(&envelope, done, &counts);
	}
	while (running_count > 0)
		end_job(0);
	require(hosts.count == 0); /* nobody holds one any more */
	hosts_free(&hosts);
	order_set_free(&orders);
	classify_tables_free(&tables);
	str_free(&env);
	return 0;
}
