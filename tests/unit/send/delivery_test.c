/* delivery: how old a message may be, and when trouble is over */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "send/delivery.h"
#include "send/state.h"

enum {
	NOW_S = 1795373181,
	LIFETIME_S = 604800,
};

/* Whether an attempt at a message of that age is the last. */
static bool
is_last(int64_t age_s)
{
	static struct state all;
	struct message message = {.id = 1};
	struct pass pass = {.channel = CHANNEL_LOCAL, .birth_s = NOW_S - age_s};
	struct channel *channel = &all.channels[CHANNEL_LOCAL];

	all.now_s = NOW_S;
	all.settings.lifetime_s = LIFETIME_S;
	channel_ring_clear(&channel->ring);
	delivery_begin(&all, &message, &pass, false);
	assert_true(message_is_active(&message, CHANNEL_LOCAL));
	assert_ptr_equal(channel_ring_pop(&channel->ring), &pass);
	return pass.expired;
}

static void
ends_after_the_lifetime(void **state)
{
	(void)state;
	assert_false(is_last(0));
	assert_false(is_last(-100));
	assert_false(is_last(LIFETIME_S - 1));
	assert_false(is_last(LIFETIME_S));
	assert_true(is_last(LIFETIME_S + 1));
}

/* A message of one local recipient, which is due. */
static struct pass *
make_pass(struct state *all)
{
	static const bool wanted[CHANNELS] = {true, true};
	struct queue_envelope head = {.sender = SPAN_LITERAL("s@x")}, envelope;
	struct pass *made[CHANNELS];
	struct pass_counts counts;

	assert_int_equal(control_list_of(SPAN_LITERAL("local"),
			     &all->settings.tables.locals),
	    0);
	queue_envelope_append_head(&all->env, &head);
	queue_envelope_append_recipient(&all->env, SPAN_LITERAL("a@local"));
	queue_envelope_append_end(&all->env, 0);
	assert_int_equal(
	    queue_envelope_decode(str_span(&all->env), &envelope), 0);
	pass_make(&envelope, SPAN_LITERAL("T"), &all->settings.tables,
	    &all->orders.set, &all->hosts, wanted, made, &counts);
	assert_non_null(made[CHANNEL_LOCAL]);
	return made[CHANNEL_LOCAL];
}

static void
puts_what_cannot_be_opened_off_for_123_seconds(void **state)
{
	static struct state all;
	struct channel *channel = &all.channels[CHANNEL_LOCAL];
	struct message *message;

	(void)state;
	all.settings = (struct settings)SETTINGS_INIT;
	all.settings.job_recipients = all.settings.host_jobs = 1;
	all.settings.lifetime_s = LIFETIME_S;
	all.now_s = NOW_S;
	all.queue_dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_not_equal(all.queue_dir, -1);
	message_log_init(&all.log, -1);
	hosts_init(&all.hosts, 1);
	*channel = (struct channel){.packet_fd = -1,
	    .max = 1,
	    .slots = 1,
	    .free_count = 1,
	    .recipients_max = 1};
	channel_ring_clear(&channel->fresh);
	channel_ring_clear(&channel->ring);
	message = schedule_add(&all.schedule, 7);
	assert_non_null(message);
	message_set_todo(message, CHANNEL_LOCAL, true);
	delivery_begin(&all, message, make_pass(&all), true);
	delivery_start_jobs(&all, CHANNEL_LOCAL);
	assert_string_equal(all.log.lines.s,
	    "warning: unable to open mess/7/7: No such file or directory;"
	    " will try again later\n");
	assert_false(message_is_active(message, CHANNEL_LOCAL));
	assert_int_equal(
	    schedule_due(&all.schedule, message, SCHEDULE_LOCAL), NOW_S + 123);
	assert_ptr_equal(
	    schedule_first(&all.schedule, SCHEDULE_LOCAL), message);

	schedule_free(&all.schedule);
	hosts_free(&all.hosts);
	settings_free(&all.settings);
	str_free(&all.log.lines);
	str_free(&all.env);
	assert_int_equal(close(all.queue_dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ends_after_the_lifetime),
	    cmocka_unit_test(puts_what_cannot_be_opened_off_for_123_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
