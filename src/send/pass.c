#include "send/pass.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mail/address.h"
#include "send/verp.h"

/* ---- making one --------------------------------------------------------- */

int64_t
pass_birth(const struct queue_envelope *envelope)
{
	return envelope->birth_s > INT64_C(253402300799)
	    ? INT64_C(253402300799)
	    : (int64_t)envelope->birth_s;
}

static struct pass *
new_pass(enum channel_kind channel, const struct queue_envelope *envelope)
{
	struct pass *pass = mem_alloc(1, sizeof(*pass));

	pass->channel = channel;
	pass->birth_s = pass_birth(envelope);
	pass->verp = verp_is(envelope->sender);
	pass->size_bytes = envelope->size_bytes;
	pass->single = envelope->recipient_count == 1;
	pass->sender = (struct str)STR_INIT;
	pass->text = (struct str)STR_INIT;
	str_copy(&pass->sender, envelope->sender);
	return pass;
}

static uint32_t
add_recipient(struct pass *pass, size_t index, struct span address)
{
	struct pass_recipient *recipient;

	if (pass->recipient_count == pass->recipient_room) {
		pass->recipient_room += pass->recipient_room + 1;
		pass->recipients = mem_resize(pass->recipients,
		    pass->recipient_room, sizeof(*pass->recipients));
	}
	recipient = &pass->recipients[pass->recipient_count];
	*recipient = (struct pass_recipient){.index = (uint32_t)index,
	    .next = PASS_NONE,
	    .offset = pass->text.len,
	    .len = (uint32_t)address.len};
	str_append_span(&pass->text, address);
	return (uint32_t)pass->recipient_count++;
}

/* Groups come into being in the order of their first recipients, which is a
   heap already. */
static void
add_to_group(struct pass *pass, struct hosts *hosts, uint32_t recipient)
{
	struct span domain = address_domain(pass_address(pass, recipient));
	struct host *host = NULL;
	size_t number = 0;
	bool there = pass->group_count > 0;

	if (pass->channel == CHANNEL_REMOTE) {
		host = hosts_hold(hosts, domain);
		there = host->mark == pass;
		number = host->number;
	}
	if (there) {
		struct pass_group *group = &pass->groups[number];

		pass->recipients[group->last].next = recipient;
		group->last = recipient;
		if (host != NULL)
			hosts_release(hosts, host);
		return;
	}
	if (pass->group_count == pass->group_room) {
		pass->group_room += pass->group_room + 1;
		pass->groups = mem_resize(
		    pass->groups, pass->group_room, sizeof(*pass->groups));
	}
	if (host != NULL) {
		host->mark = pass;
		host->number = (uint32_t)pass->group_count;
	}
	pass->groups[pass->group_count++] =
	    (struct pass_group){host, recipient, recipient};
}

void
pass_make(const struct queue_envelope *envelope, struct span done,
    const struct classify_tables *tables, const struct order_set *orders,
    struct hosts *hosts, const bool wanted[CHANNELS],
    struct pass *made[CHANNELS], struct pass_counts *counts)
{
	struct span rest = envelope->recipients, recipient;
	struct str address = STR_INIT;
	char letter;

	*counts = (struct pass_counts){.failed = 0};
	for (size_t i = 0; i < CHANNELS; i++)
		made[i] = NULL;
	for (size_t i = 0;
	     queue_envelope_next_as(&rest, &recipient, &letter) == 1; i++) {
		char state = i < done.len ? done.s[i] : 'T';
		enum channel_kind channel;

		if (state == 'F')
			counts->failed++;
		if (state == 'F' || state == 'D')
			continue;
		channel = classify_queued(tables, letter, recipient, &address);
		counts->todo[channel]++;
		if (order_set_holds_recipient(orders, recipient)) {
			counts->held[channel]++;
			continue;
		}
		if (!wanted[channel])
			continue;
		if (made[channel] == NULL)
			made[channel] = new_pass(channel, envelope);
		add_to_group(made[channel], hosts,
		    add_recipient(made[channel], i, str_span(&address)));
	}
	/* a later pass may lie where this one was: leave no mark */
	for (size_t c = 0; c < CHANNELS; c++) {
		if (made[c] != NULL)
			made[c]->held = counts->held[c] > 0;
		for (size_t i = 0; made[c] != NULL && i < made[c]->group_count;
		     i++) {
			if (made[c]->groups[i].host != NULL)
				made[c]->groups[i].host->mark = NULL;
		}
	}
	str_free(&address);
}

void
pass_cut(struct pass *pass, struct hosts *hosts)
{
	for (size_t i = 0; i < pass->group_count; i++) {
		if (pass->groups[i].host != NULL)
			hosts_release(hosts, pass->groups[i].host);
	}
	pass->group_count = 0;
}

void
pass_free(struct pass *pass, struct hosts *hosts)
{
	pass_cut(pass, hosts);
	str_free(&pass->sender);
	str_free(&pass->text);
	free(pass->recipients);
	free(pass->groups);
	free(pass);
}

size_t
pass_size(const struct pass *pass)
{
	return sizeof(*pass) + pass->sender.size + pass->text.size +
	    pass->recipient_room * sizeof(*pass->recipients) +
	    pass->group_room * (sizeof(*pass->groups) + sizeof(struct host));
}

struct span
pass_address(const struct pass *pass, uint32_t recipient)
{
	const struct pass_recipient *r = &pass->recipients[recipient];

	assert(recipient < pass->recipient_count);
	return (struct span){pass->text.s + r->offset, r->len};
}

bool
pass_has_more(const struct pass *pass)
{
	return pass->group_count > 0;
}

/* ---- taking from it ----------------------------------------------------- */

/*
 * The place of the group that goes first among those below and at place that
 * have room; SIZE_MAX if none has. A group with room beats all below it, so
 * the search visits blocked groups and their children only; these are few,
 * since each blocked host has jobs running.
 */
static size_t
find_ready(const struct pass *pass, size_t place, const struct hosts *hosts)
{
	const struct host *host;
	size_t left, right;

	if (place >= pass->group_count)
		return SIZE_MAX;
	host = pass->groups[place].host;
	if (host == NULL || hosts_may_start(hosts, host))
		return place;
	left = find_ready(pass, place * 2 + 1, hosts);
	right = find_ready(pass, place * 2 + 2, hosts);
	if (left == SIZE_MAX || right == SIZE_MAX)
		return left == SIZE_MAX ? right : left;
	return pass->groups[left].first < pass->groups[right].first ? left
								    : right;
}

/* Restores the heap around place, whose group has changed. */
static void
settle(struct pass *pass, size_t place)
{
	struct pass_group *groups = pass->groups, moved = groups[place];

	while (place > 0 && moved.first < groups[(place - 1) / 2].first) {
		groups[place] = groups[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	for (;;) {
		size_t child = place * 2 + 1;

		if (child + 1 < pass->group_count &&
		    groups[child + 1].first < groups[child].first)
			child++;
		if (child >= pass->group_count ||
		    groups[child].first >= moved.first)
			break;
		groups[place] = groups[child];
		place = child;
	}
	groups[place] = moved;
}

size_t
pass_take(struct pass *pass, struct hosts *hosts, size_t max, size_t room_bytes,
    uint32_t *taken, struct host **host)
{
	size_t place = find_ready(pass, 0, hosts), count = 0;
	struct pass_group *group;

	if (pass->group_count == 0) {
		*host = NULL;
		return 0;
	}
	if (place == SIZE_MAX) {
		*host = pass->groups[0].host;
		return 0;
	}
	group = &pass->groups[place];
	*host = group->host;
	while (count < max && group->first != PASS_NONE) {
		size_t len = pass->recipients[group->first].len;

		if (count > 0 && len > room_bytes)
			break;
		room_bytes -= len < room_bytes ? len : room_bytes;
		taken[count++] = group->first;
		group->first = pass->recipients[group->first].next;
	}
	if (group->first == PASS_NONE) {
		/* the group's hold of its host becomes the caller's */
		*group = pass->groups[--pass->group_count];
		if (place == pass->group_count)
			return count;
	} else if (group->host != NULL) {
		struct host *again = hosts_hold(
		    hosts, (struct span){group->host->name, group->host->len});

		assert(again == group->host);
		(void)again; /* looked up only to be held once more */
	}
	settle(pass, place);
	return count;
}
