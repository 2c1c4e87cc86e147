/* pass: which recipients are left, in which groups and order */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "send/pass.h"

struct fixture {
	struct hosts hosts;
	struct classify_tables tables;
	struct order_set orders;
	struct str env;
	struct queue_envelope envelope;
	struct pass *made[CHANNELS];
	struct pass_counts counts;
};

static void
make(struct fixture *f, const char *sender, const char *const *recipients,
    const char *done)
{
	const bool wanted[CHANNELS] = {true, true};
	struct queue_envelope head = {.sender = span_of(sender)};

	memset(f, 0, sizeof(*f));
	f->tables = (struct classify_tables)CLASSIFY_TABLES_INIT;
	f->env = (struct str)STR_INIT;
	hosts_init(&f->hosts, 1);
	f->hosts.slots = 20;
	f->hosts.host_jobs = 1;
	assert_int_equal(
	    control_list_of(SPAN_LITERAL("local"), &f->tables.locals), 0);
	queue_envelope_append_head(&f->env, &head);
	for (size_t i = 0; recipients[i] != NULL; i++)
		queue_envelope_append_recipient(
		    &f->env, span_of(recipients[i]));
	queue_envelope_append_end(&f->env, 0);
	assert_int_equal(
	    queue_envelope_decode(str_span(&f->env), &f->envelope), 0);
	pass_make(&f->envelope, span_of(done), &f->tables, &f->orders,
	    &f->hosts, wanted, f->made, &f->counts);
}

static void
unmake(struct fixture *f)
{
	for (size_t i = 0; i < CHANNELS; i++) {
		if (f->made[i] != NULL)
			pass_free(f->made[i], &f->hosts);
	}
	assert_int_equal(f->hosts.count, 0); /* nobody holds a host any more */
	hosts_free(&f->hosts);
	classify_tables_free(&f->tables);
	str_free(&f->env);
}

/* Takes a job, shows it as "host:address,address" and leaves it running. */
static struct host *
take(struct fixture *f, enum channel_kind channel, size_t max, size_t room,
    const char *want)
{
	uint32_t taken[100];
	struct str got = STR_INIT;
	struct host *host;
	size_t count =
	    pass_take(f->made[channel], &f->hosts, max, room, taken, &host);

	if (host != NULL)
		str_append(&got, host->name, host->len);
	for (size_t i = 0; i < count; i++) {
		str_append_char(&got, i == 0 ? ':' : ',');
		str_append_span(&got, pass_address(f->made[channel], taken[i]));
	}
	assert_string_equal(got.s, want);
	str_free(&got);
	if (count > 0 && host != NULL)
		host->running++;
	return count > 0 ? host : NULL;
}

static void
end(struct fixture *f, struct host *host)
{
	host->running--;
	hosts_release(&f->hosts, host);
}

static void
groups_by_host(void **state)
{
	static const char *const recipients[] = {
	    "a@h1", "l@local", "b@h2", "c@H1", "d@h3", "e@h2", "m@local", NULL};
	struct fixture f;
	struct host *h1, *h2, *h3;

	(void)state;
	make(&f, "s@x", recipients, "");
	assert_int_equal(f.counts.todo[CHANNEL_LOCAL], 2);
	assert_int_equal(f.counts.todo[CHANNEL_REMOTE], 5);
	h1 = take(&f, CHANNEL_REMOTE, 1, 1000, "h1:a@h1");
	/* one job a host here: h1 must wait, and is not asked for again */
	h2 = take(&f, CHANNEL_REMOTE, 100, 1000, "h2:b@h2,e@h2");
	h3 = take(&f, CHANNEL_REMOTE, 100, 1000, "h3:d@h3");
	assert_true(pass_has_more(f.made[CHANNEL_REMOTE]));
	assert_null(take(&f, CHANNEL_REMOTE, 100, 1000, "h1"));
	end(&f, h1);
	h1 = take(&f, CHANNEL_REMOTE, 100, 1000, "h1:c@H1");
	assert_false(pass_has_more(f.made[CHANNEL_REMOTE]));
	(void)take(&f, CHANNEL_LOCAL, 1, 1000, ":l@local");
	(void)take(&f, CHANNEL_LOCAL, 1, 1000, ":m@local");
	assert_false(pass_has_more(f.made[CHANNEL_LOCAL]));
	end(&f, h1);
	end(&f, h2);
	end(&f, h3);
	unmake(&f);
}

static void
goes_in_file_order(void **state)
{
	static const char *const recipients[] = {
	    "a@h1", "b@h2", "c@h1", "d@h3", "e@h2", "f@h1", NULL};
	static const char *const want[] = {
	    "h1:a@h1", "h2:b@h2", "h1:c@h1", "h3:d@h3", "h2:e@h2", "h1:f@h1"};
	struct fixture f;

	(void)state;
	make(&f, "s@x", recipients, "");
	for (size_t i = 0; i < COUNT(want); i++)
		end(&f, take(&f, CHANNEL_REMOTE, 1, 1000, want[i]));
	unmake(&f);
}

static void
leaves_out_what_is_done(void **state)
{
	static const char *const recipients[] = {
	    "a@h", "b@h", "c@h", "d@local", "e@h", NULL};
	struct fixture f;

	(void)state;
	make(&f, "s@x", recipients, "DFTD");
	assert_int_equal(f.counts.failed, 1);
	assert_int_equal(f.counts.todo[CHANNEL_LOCAL], 0);
	assert_null(f.made[CHANNEL_LOCAL]);
	end(&f, take(&f, CHANNEL_REMOTE, 100, 1000, "h:c@h,e@h"));
	unmake(&f);
}

static void
obeys_the_room(void **state)
{
	static const char *const recipients[] = {
	    "aaa@h", "bbb@h", "ccc@h", NULL};
	struct fixture f;

	(void)state;
	make(&f, "s@x", recipients, "");
	end(&f, take(&f, CHANNEL_REMOTE, 100, 10, "h:aaa@h,bbb@h"));
	end(&f, take(&f, CHANNEL_REMOTE, 100, 1, "h:ccc@h"));
	unmake(&f);
}

static void
who_is_held_is_left_out(void **state)
{
	static const char *const recipients[] = {"a@held.example",
	    "b@free.example", "c@HELD.example", "d@local", NULL};
	static const bool wanted[CHANNELS] = {true, true};
	struct order held = {
	    .kind = ORDER_HOLD_DOMAIN, .key = SPAN_LITERAL("held.example")};
	struct fixture f;

	(void)state;
	make(&f, "s@x", recipients, "");
	assert_int_equal(f.counts.held[CHANNEL_REMOTE], 0);
	for (size_t i = 0; i < CHANNELS; i++) {
		assert_false(f.made[i]->held);
		pass_free(f.made[i], &f.hosts);
	}
	assert_int_equal(order_set_add(&f.orders, &held), 1);
	pass_make(&f.envelope, SPAN_LITERAL("T"), &f.tables, &f.orders,
	    &f.hosts, wanted, f.made, &f.counts);
	assert_int_equal(f.counts.todo[CHANNEL_REMOTE], 3);
	assert_int_equal(f.counts.held[CHANNEL_REMOTE], 2);
	assert_int_equal(f.counts.held[CHANNEL_LOCAL], 0);
	assert_int_equal(f.made[CHANNEL_REMOTE]->recipient_count, 1);
	assert_true(f.made[CHANNEL_REMOTE]->held);
	assert_false(f.made[CHANNEL_LOCAL]->held);
	order_set_free(&f.orders);
	unmake(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_is_held_is_left_out),
	    cmocka_unit_test(groups_by_host),
	    cmocka_unit_test(goes_in_file_order),
	    cmocka_unit_test(leaves_out_what_is_done),
	    cmocka_unit_test(obeys_the_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
