/*
 * Locals, percenthack and virtualdomains, each up to a NUL, and a recipient:
 * what it becomes has an '@', holds no more than was put before it, and is
 * local exactly if the tables say so.
 */
#include "../fuzz.h"

#include "conf/classify.h"
#include "mail/address.h"

static void
fill(struct control_table *table, const char *path, struct span text, bool map)
{
	fuzz_enter_directory();
	fuzz_write_file(path, text);
	require(
	    (map ? control_map(path, table) : control_list(path, table)) == 1);
}

static void
check(const struct classify_tables *tables, struct span recipient)
{
	struct str to = STR_INIT, again = STR_INIT;
	enum channel_kind channel = classify_recipient(tables, recipient, &to);
	struct span made, prefix, plain;
	bool is_local;

	made = str_span(&to);
	require(address_at(made) != SPAN_NONE);
	is_local = control_has(&tables->locals, address_domain(made));
	if (channel == CHANNEL_REMOTE) {
		require(!is_local);
		require(!control_find_domain(&tables->virtualdomains,
			    address_domain(made), true, &prefix) ||
		    prefix.len == 0 ||
		    control_find(&tables->virtualdomains, made, &prefix));
		require(
		    classify_recipient(tables, made, &again) == CHANNEL_REMOTE);
		require(span_equal(made, str_span(&again)));
	}
	/* who bounces names the recipient as the sender knows it */
	plain = classify_without_prefix(tables, made);
	require(plain.s >= made.s && plain.s + plain.len == made.s + made.len);
	if (channel == CHANNEL_REMOTE || is_local)
		require(plain.len == made.len || !is_local);
	require(
	    classify_queued(tables, 'L', recipient, &again) == CHANNEL_LOCAL &&
	    span_equal(str_span(&again), recipient));
	require(
	    classify_queued(tables, 'R', recipient, &again) == CHANNEL_REMOTE &&
	    span_equal(str_span(&again), recipient));
	require(classify_queued(tables, 'T', recipient, &again) == channel);
	require(span_equal(made, str_span(&again)));
	str_free(&to);
	str_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct classify_tables tables = CLASSIFY_TABLES_INIT;

	str_copy(&tables.envnoathost, SPAN_LITERAL("env.example"));
	fill(&tables.locals, "locals", fuzz_until(&input, '\0'), false);
	fill(&tables.percenthack, "percenthack", fuzz_until(&input, '\0'),
	    false);
	fill(&tables.virtualdomains, "virtualdomains", fuzz_until(&input, '\0'),
	    true);
	check(&tables, input);
	classify_tables_free(&tables);
	return 0;
}
