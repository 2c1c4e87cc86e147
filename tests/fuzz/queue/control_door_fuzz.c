/*
 * control.sock as a whole: a qmail-send (its own module, taken in) that
 * subscribes, reports and asks, administrators that order, others that send
 * any bytes, commits and new messages in between, all in an order that the
 * input chooses. Nothing is said to the subscriber that makes no sense to it;
 * there is one at a time; what it reported is acknowledged in the end, no more;
 * and each request of an administrator gets one answer that fits it.
 */
#include "../fuzz.h"

#include <sys/socket.h>

#include "mail/netstring.h"
#include "queue/control_door.h"
#include "queue/store.h"

#include "../../../src/send/queue_link.c"

enum {
	ADMINS = 3,
	LINK = ADMINS, /* its place among the ends */
	STRANGER,      /* who says anything */
	ENDS,
	MESSAGES = 4,   /* that are there at first */
	WAITING_MAX = 8 /* requests of an administrator */
};

static struct {
	struct ledger ledger;
	struct orders orders;
	struct control_door door;
	struct queue_link link;
	int ends[ENDS]; /* -1: not connected */
	/* what administrators have asked: items of the list, or -1 for a
	   barrier */
	int waiting[ADMINS][WAITING_MAX];
	size_t waiting_count[ADMINS];
	uint64_t last_new; /* id that the subscriber was told */
	uint64_t made;     /* reports of the subscriber */
} world;

/* The disk is not for here. */
int
fsync(int fd)
{
	(void)fd;
	return 0;
}

/* ---- the queue ---------------------------------------------------------- */

static void
add_message(uint64_t id)
{
	struct queue_envelope envelope = {.uid = 1,
	    .birth_s = 1,
	    .size_bytes = 1,
	    .origin = {"", 0},
	    .sender = SPAN_LITERAL("s"),
	    .failures = {"", 0}};
	struct str env = STR_INIT;
	struct span part;

	queue_envelope_append_head(&env, &envelope);
	queue_envelope_append_recipient(&env, SPAN_LITERAL("a@b"));
	queue_envelope_append_recipient(&env, SPAN_LITERAL("c@d"));
	queue_envelope_append_end(&env, 0);
	part = str_span(&env);
	require(store_replace(QUEUE_ENV, id, &part, 1) == 0);
	str_free(&env);
}

static void
open_world(void)
{
	static const struct accounts accounts = {.alone = true};
	struct str failed = STR_INIT;
	static bool is_made;

	fuzz_enter_directory();
	if (!is_made)
		require(store_make_directories(&failed) == 0);
	is_made = true;
	for (uint64_t id = 1; id <= MESSAGES; id++)
		add_message(id);
	ledger_init(&world.ledger, &accounts, NULL);
	journal_init(&world.ledger.journal, JOURNAL_SLOTS_MIN, 1024);
	world.ledger.next_id = world.ledger.durable_id = MESSAGES + 1;
	world.orders = (struct orders)ORDERS_INIT;
	require(control_door_open(
		    &world.door, -1, &world.ledger, &world.orders) == 0);
	queue_link_init(&world.link, "none");
	for (size_t i = 0; i < ENDS; i++)
		world.ends[i] = -1;
	for (size_t i = 0; i < ADMINS; i++)
		world.waiting_count[i] = 0;
	world.made = 0;
	str_free(&failed);
}

static void
close_world(void)
{
	world.link.fd = -1; /* it is among the ends */
	for (size_t i = 0; i < ENDS; i++)
		fd_close(world.ends[i]);
	control_door_free(&world.door);
	queue_link_free(&world.link);
	orders_free(&world.orders);
	ledger_free(&world.ledger);
}

/* What a commit does, but for the disk and the files of recipients. */
static void
commit(void)
{
	struct ledger *ledger = &world.ledger;

	ledger->change_count = 0;
	str_clear(&ledger->texts);
	for (size_t i = 0; i < ledger->retiring_count; i++) {
		require(store_remove_all(ledger->retiring[i]) == 0);
		ledger_removed(ledger, ledger->retiring[i]);
	}
	ledger->retiring_count = 0;
	ledger->durable_id = ledger->next_id;
	journal_free(&ledger->journal);
	journal_init(&ledger->journal, JOURNAL_SLOTS_MIN, 1024);
	control_door_committed(&world.door, 1);
	control_door_welcome(&world.door);
}

static void
accept_message(void)
{
	uint64_t id = world.ledger.next_id++;

	add_message(id);
	control_door_announce(
	    &world.door, id, id % 2 ? SPAN_LITERAL("env") : SPAN_LITERAL(""));
	commit();
}

static void
serve(void)
{
	struct pollfd items[CONTROL_DOOR_ITEMS];

	control_door_poll(&world.door, items);
	if (poll(items, CONTROL_DOOR_ITEMS, 0) > 0)
		control_door_serve(&world.door, items);
	require(!world.door.failed);
}

/* ---- peers -------------------------------------------------------------- */

/* A connection, as if it had been accepted. */
static void
connect_end(size_t which)
{
	int ends[2];

	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		struct control_peer *peer = &world.door.peers[i];

		if (peer->fd != -1)
			continue;
		require(fd_packet_pair(ends) == 0);
		require(fd_nonblock(ends[0]) == 0 && fd_nonblock(ends[1]) == 0);
		world.ends[which] = ends[1];
		*peer = (struct control_peer){
		    .fd = ends[0], .seen = ++world.door.clock};
		return;
	}
	require(false); /* there are more places than ends */
}

static void
lose_end(size_t which)
{
	fd_close(world.ends[which]);
	world.ends[which] = -1;
	if (which < ADMINS)
		world.waiting_count[which] = 0;
}

static void
send_end(size_t which, struct span packet)
{
	if (world.ends[which] == -1)
		connect_end(which);
	if (packet.len > 0)
		(void)!fd_send_packet(world.ends[which], packet, -1);
	serve();
}

/* As start() of the link does, but for the path. */
static void
subscribe(void)
{
	struct queue_link *link = &world.link;

	if (world.ends[LINK] != -1)
		return;
	connect_end(LINK);
	link->fd = world.ends[LINK];
	link->connections++;
	link->base_count = link->acked_count;
	link->deadline_ms = INT64_MAX;
	world.last_new = 0;
	send_end(LINK, SPAN_LITERAL("1:S,"));
}

/* True if the door has closed the connection to that end. */
static bool
is_dropped(int fd)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};

	return poll(&item, 1, 0) == 1 && (item.revents & POLLHUP) != 0;
}

static void
read_link(void)
{
	struct queue_link *link = &world.link;
	uint64_t number = 0;
	bool dropped;

	while (world.ends[LINK] != -1) {
		enum queue_link_event event;

		dropped = is_dropped(world.ends[LINK]);
		event = queue_link_next(link, 0, &number);
		if (event == QUEUE_LINK_NONE)
			break;
		if (event == QUEUE_LINK_NEW) {
			require(number > world.last_new);
			world.last_new = number;
		}
		if (event == QUEUE_LINK_LOST || event == QUEUE_LINK_REFUSED) {
			/* what it was told made sense to it */
			require(dropped);
			link->told_lost = false;
			world.ends[LINK] = -1; /* closed by the link */
		}
	}
}

/* The answer to the request that waits for longest; a barrier is answered at
   its own time. */
static void
check_answer(size_t which, char kind, struct span rest)
{
	int *waiting = world.waiting[which], items;
	size_t *count = &world.waiting_count[which], i = 0;
	struct span results, heard;

	while (i < *count && (waiting[i] == -1) != (kind == 'B'))
		i++;
	require(i < *count);
	items = waiting[i];
	(*count)--;
	memmove(waiting + i, waiting + i + 1, (*count - i) * sizeof(*waiting));
	if (kind != 'K')
		return;
	require(netstring_take(&rest, &results) == 0);
	require(netstring_take(&rest, &heard) == 0 && rest.len == 0);
	require(span_is(heard, "0") || span_is(heard, "1"));
	require(results.len == (size_t)items);
	for (size_t at = 0; at < results.len; at++)
		require(strchr("KSNFBE", results.s[at]) != NULL);
}

static void
read_admin(size_t which)
{
	static char buf[FD_PACKET_MAX];
	struct span rest, kind;
	struct order order;
	int passed;
	ssize_t got;

	while (world.ends[which] != -1) {
		got = fd_receive_packet(
		    world.ends[which], buf, sizeof(buf), &passed);
		if (got == -1)
			return;
		if (got == 0) {
			lose_end(which);
			return;
		}
		rest = (struct span){buf, (size_t)got};
		require(netstring_take(&rest, &kind) == 0 && kind.len == 1);
		if (kind.s[0] != 'O') {
			require(strchr("KEB", kind.s[0]) != NULL);
			check_answer(which, kind.s[0], rest);
			continue;
		}
		while (netstring_take(&rest, &kind) == 0)
			require(order_parse(kind, &order) == 0);
		require(rest.len == 0);
	}
}

/* A request with a list: up to three lines or ids from the input. */
static void
ask(size_t which, char letter, struct span *input)
{
	struct str packet = STR_INIT;
	int items = 0;

	if (world.waiting_count[which] == WAITING_MAX)
		return;
	netstring_append(&packet, (struct span){&letter, 1});
	if (letter == 'B') {
		netstring_append_u64(&packet, fuzz_byte(input));
		items = -1;
	} else if (letter != 'Q') {
		items = fuzz_byte(input) % 4;
		/* an order there must be; without ids all are tried */
		if (items == 0 && letter != 'T')
			items = 1;
		for (int i = 0; i < items; i++)
			netstring_append(&packet, fuzz_until(input, '\n'));
	}
	world.waiting[which][world.waiting_count[which]++] = items;
	send_end(which, str_span(&packet));
	str_free(&packet);
}

/* ---- what happens ------------------------------------------------------- */

static void
report(struct span *input)
{
	struct queue_link *link = &world.link;
	unsigned char what = fuzz_byte(input);
	uint64_t id = fuzz_byte(input) % 8u;

	switch (what % 4) {
	case 0:
		(void)queue_link_delivered(link, id, what / 4 % 3);
		world.made++;
		break;
	case 1:
		(void)queue_link_failed(
		    link, id, what / 4 % 3, fuzz_until(input, '\n'));
		world.made++;
		break;
	case 2:
		(void)queue_link_retire(link, id);
		world.made++;
		break;
	default:
		queue_link_barrier(link, id);
	}
	require(!queue_link_is_durable(link, (uint32_t)world.made) ||
	    world.made == 0 || link->acked_count == link->made_count);
}

static void
happen(struct span *input)
{
	unsigned char what = fuzz_byte(input);
	size_t admin = what / 16 % ADMINS;

	switch (what % 16) {
	case 0:
		subscribe();
		break;
	case 1:
	case 2:
		report(input);
		break;
	case 3:
		queue_link_flush(&world.link, 0);
		serve();
		break;
	case 4:
		commit();
		break;
	case 5:
		accept_message();
		break;
	case 6:
	case 7:
		ask(admin, 'O', input);
		break;
	case 8:
		ask(admin, 'U', input);
		break;
	case 9:
		ask(admin, 'Q', input);
		break;
	case 10:
		ask(admin, 'T', input);
		break;
	case 11:
		ask(admin, 'B', input);
		break;
	case 12:
		send_end(STRANGER, fuzz_some(input, fuzz_byte(input)));
		break;
	case 13:
		lose_end(what & 16 ? STRANGER : admin);
		serve();
		break;
	case 14:
		read_link();
		break;
	default:
		read_admin(admin);
	}
}

static size_t
count_subscribers(void)
{
	size_t count = 0;

	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++)
		count += world.door.peers[i].state >= PEER_ASKING;
	return count;
}

/* All is read, served and committed until nothing is left to be done: then
   everybody who is there has had his answers. */
static void
settle(void)
{
	lose_end(STRANGER); /* who might be the subscriber */
	serve();
	read_link();
	subscribe();
	for (int i = 0; i < 20; i++) {
		queue_link_flush(&world.link, 0);
		serve();
		commit();
		read_link();
		for (size_t admin = 0; admin < ADMINS; admin++)
			read_admin(admin);
	}
	require(world.ends[LINK] != -1 && world.link.subscribed);
	require(queue_link_is_idle(&world.link));
	for (size_t admin = 0; admin < ADMINS; admin++)
		require(
		    world.ends[admin] == -1 || world.waiting_count[admin] == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};

	fuzz_hush();
	open_world();
	while (input.len > 0) {
		happen(&input);
		require(count_subscribers() <= 1);
		/* nobody reads what is said to him */
		if (world.ends[STRANGER] != -1 &&
		    is_dropped(world.ends[STRANGER]))
			lose_end(STRANGER);
	}
	settle();
	close_world();
	fuzz_speak();
	return 0;
}
