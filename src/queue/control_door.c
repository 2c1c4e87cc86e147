#include "queue/control_door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/privilege.h"
#include "mail/netstring.h"

#include "queue/store.h"

enum {
	REQUESTS_PER_TURN = 1000,
	LIST_BYTES = 32 * 1024, /* of a packet of orders, about */
	NEWS_BYTES = 4096,      /* of a notice of new messages, about */
	SCRATCH_KEPT = 64 * 1024,
};

/* ---- talking ------------------------------------------------------------ */

static struct control_peer *
find_subscriber(struct control_door *door)
{
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		if (door->peers[i].state >= PEER_ASKING)
			return &door->peers[i];
	}
	return NULL;
}

/* Goes on with the orders that the peer does not know yet. */
static void
send_orders(struct control_door *door, struct control_peer *peer)
{
	while (peer->wants_orders && !peer->blocked && peer->fd != -1) {
		uint64_t number = peer->told_order;
		const struct order *order = NULL;

		str_clear(&door->packet);
		netstring_append(&door->packet, SPAN_LITERAL("O"));
		while (door->packet.len < LIST_BYTES &&
		    (order = order_set_next(&door->orders->set, &number)) !=
			NULL) {
			str_clear(&door->lines);
			order_append(&door->lines, order);
			netstring_append(&door->packet, str_span(&door->lines));
		}
		if (number != peer->told_order) {
			if (!control_peer_send(peer, str_span(&door->packet)))
				return;
			peer->told_order = number;
			continue;
		}
		peer->wants_orders = false;
		if (peer->state == PEER_ADMIN)
			control_peer_done(peer, (struct span){"", 0},
			    find_subscriber(door) != NULL);
	}
}

/* Says what has not been said, most important first. */
static void
catch_up(struct control_door *door, struct control_peer *peer)
{
	control_peer_flush(peer);
	send_orders(door, peer);
	if (peer->behind &&
	    control_peer_tell(peer, "L", &door->ledger->durable_id))
		peer->behind = false;
	if (peer->durable > peer->told &&
	    control_peer_tell(peer, "A", &peer->durable))
		peer->told = peer->durable;
	while (peer->barriers_due > 0 &&
	    control_peer_tell(peer, "B", &peer->barriers[0])) {
		peer->barriers_due--;
		peer->barrier_count--;
		memmove(peer->barriers, peer->barriers + 1,
		    peer->barrier_count * sizeof(*peer->barriers));
	}
}

/* Names the new messages to who listens; one that cannot hear it is behind. */
static void
tell_news(struct control_door *door)
{
	if (door->news.len == 0)
		return;
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		struct control_peer *peer = &door->peers[i];

		if (peer->state == PEER_LISTENING && !peer->behind &&
		    !control_peer_send(peer, str_span(&door->news)))
			peer->behind = peer->fd != -1;
	}
	str_clear(&door->news);
}

void
control_door_announce(struct control_door *door, uint64_t id, struct span env)
{
	if (door->news.len == 0)
		netstring_append(&door->news, SPAN_LITERAL("N"));
	netstring_append_u64(&door->news, id);
	netstring_append(&door->news, env);
	if (door->news.len >= NEWS_BYTES)
		tell_news(door);
}

void
control_door_committed(struct control_door *door, int64_t now_ms)
{
	for (size_t i = 0; i < door->ended_count; i++)
		orders_forget(door->orders, door->ended[i], now_ms);
	door->ended_count = 0;
	tell_news(door);
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		struct control_peer *peer = &door->peers[i];

		if (peer->state != PEER_LISTENING && peer->state != PEER_ADMIN)
			continue;
		peer->durable = peer->heard;
		peer->barriers_due = peer->barrier_count;
		catch_up(door, peer);
	}
}

void
control_door_welcome(struct control_door *door)
{
	if (door->ledger->retired.count > 0)
		return;
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		struct control_peer *peer = &door->peers[i];

		if (peer->state == PEER_ASKING && !peer->wants_orders &&
		    control_peer_tell(peer, "H", &door->ledger->durable_id))
			peer->state = PEER_LISTENING;
	}
}

bool
control_door_is_urgent(const struct control_door *door)
{
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		const struct control_peer *peer = &door->peers[i];

		if (peer->barrier_count > peer->barriers_due ||
		    peer->state == PEER_ASKING)
			return true;
	}
	return false;
}

/* ---- listening ---------------------------------------------------------- */

/* Only one may be told what to deliver, or everything would be twice. */
static void
subscribe(struct control_door *door, struct control_peer *peer)
{
	if (find_subscriber(door) == NULL) {
		peer->state = PEER_ASKING;
		peer->wants_orders = true;
		send_orders(door, peer);
		return;
	}
	if (control_peer_tell(peer, "X", NULL))
		control_peer_drop(peer);
}

/* Orders about a message end with it, once that is durable. */
static void
retire(struct control_door *door, uint64_t id)
{
	const struct order_set *set = &door->orders->set;

	ledger_retire(door->ledger, id);
	if (!order_set_has_message(set, ORDER_HOLD_MESSAGE, id) &&
	    !order_set_has_message(set, ORDER_EXPIRE, id) &&
	    !order_set_has_message(set, ORDER_REMOVE, id))
		return;
	if (door->ended_count == door->ended_room) {
		door->ended_room = door->ended_room * 2 + 64;
		door->ended = mem_resize(
		    door->ended, door->ended_room, sizeof(*door->ended));
	}
	door->ended[door->ended_count++] = id;
}

/* A request of the subscriber. */
static void
serve_subscriber(struct control_door *door, struct control_peer *peer,
    const struct control_request *request)
{
	int result = 0;

	switch (request->kind) {
	case CONTROL_BARRIER:
		peer->barriers[peer->barrier_count++] = request->id;
		return;
	case CONTROL_RETIRE:
		peer->heard++;
		retire(door, request->id);
		return;
	case CONTROL_DONE:
	case CONTROL_FAILED:
		peer->heard++;
		result = ledger_change(door->ledger,
		    request->kind == CONTROL_DONE ? JOURNAL_DONE
						  : JOURNAL_FAILED,
		    request->id, request->index, request->text);
		break;
	default:
		control_peer_drop(peer);
		return;
	}
	if (result == -1) {
		warn_sys("cannot read files of message %llu",
		    (unsigned long long)request->id);
		door->failed = true;
	}
}

/* ---- administrators ----------------------------------------------------- */

/* 1 a committed message that is not over; 0 there is none; -1. */
static int
has_message(const struct control_door *door, uint64_t id)
{
	const struct ledger *ledger = door->ledger;

	if (id == 0 || id >= ledger->durable_id ||
	    id_table_get(&ledger->retired, id) != NULL)
		return 0;
	return store_has(QUEUE_ENV, id);
}

/* What becomes of one item of a request: K done; S it stands so already; N
   there is no such message or order; F there is no room; B it makes no sense;
   E trouble. What was done is in door->packet, for qmail-send. */
static char
change_order(struct control_door *door, bool add, struct span line)
{
	struct order order;
	int result;

	if (order_parse(line, &order) == -1)
		return 'B';
	if (!add) {
		if (order.kind == ORDER_EXPIRE || order.kind == ORDER_REMOVE)
			return 'B'; /* it may be under way */
		if (!orders_remove(door->orders, &order))
			return 'N';
		netstring_append(&door->packet, line);
		return 'K';
	}
	if (order.kind <= ORDER_OF_MESSAGE) {
		result = has_message(door, order.id);
		if (result != 1)
			return result == 0 ? 'N' : 'E';
	}
	order.when_s = (uint64_t)clock_now();
	result = orders_add(door->orders, &order);
	if (result == -1)
		return errno == EDQUOT ? 'F' : 'E';
	return result == 1 ? 'K' : 'S';
}

/* Tells the subscriber of changes that are durable. */
static void
spread(struct control_door *door, bool added)
{
	struct control_peer *peer = find_subscriber(door);

	if (peer == NULL)
		return;
	if (!added) {
		control_peer_keep(peer, &door->packet);
		return;
	}
	peer->wants_orders = true;
	send_orders(door, peer);
}

static void
change_orders(struct control_door *door, struct control_peer *peer,
    struct span list, bool add)
{
	struct str results = STR_INIT;
	struct span line;
	bool changed = false;
	int stored = 0;

	str_clear(&door->packet);
	netstring_append(&door->packet, SPAN_LITERAL("U"));
	while (netstring_take(&list, &line) == 0) {
		char letter = change_order(door, add, line);

		changed = changed || letter == 'K';
		str_append_char(&results, letter);
	}
	if (changed)
		stored = orders_store(door->orders);
	if (stored == 0) {
		/* first, since the answer says whether it is heard */
		if (changed)
			spread(door, add);
		control_peer_done(
		    peer, str_span(&results), find_subscriber(door) != NULL);
	} else {
		warn_sys("cannot write queue/" ORDER_FILE);
		control_peer_error(peer,
		    stored == -1 ? "cannot write queue/" ORDER_FILE
				 : "the order may stand or not: ask again");
		door->failed = door->failed || stored == -2;
	}
	str_free(&results);
}

/* Nothing is kept of it: who is not there tries soon enough. */
static void
try_now(struct control_door *door, struct control_peer *peer, struct span list)
{
	struct control_peer *subscriber = find_subscriber(door);
	struct str results = STR_INIT;
	bool all = list.len == 0;
	struct span text;

	if (subscriber == NULL) {
		control_peer_error(peer, "qmail-send is not running");
		return;
	}
	/* it would not understand it before it has its H */
	if (subscriber->state == PEER_ASKING) {
		control_peer_error(peer, "qmail-send is just starting");
		return;
	}
	str_clear(&door->packet);
	netstring_append(&door->packet, SPAN_LITERAL("T"));
	while (netstring_take(&list, &text) == 0) {
		uint64_t id;
		bool there =
		    num_parse_u64(text, &id) == 0 && has_message(door, id) == 1;

		str_append_char(&results, there ? 'K' : 'N');
		if (there)
			netstring_append_u64(&door->packet, id);
	}
	if (all || span_find(str_span(&results), 'K') != SPAN_NONE)
		control_peer_keep(subscriber, &door->packet);
	control_peer_done(peer, str_span(&results), true);
	str_free(&results);
}

static void
serve_admin(struct control_door *door, struct control_peer *peer,
    const struct control_request *request)
{
	peer->state = PEER_ADMIN;
	switch (request->kind) {
	case CONTROL_ORDER:
	case CONTROL_UNDO:
		change_orders(
		    door, peer, request->list, request->kind == CONTROL_ORDER);
		break;
	case CONTROL_LIST:
		peer->told_order = 0;
		peer->wants_orders = true;
		send_orders(door, peer);
		break;
	case CONTROL_TRY_NOW:
		try_now(door, peer, request->list);
		break;
	case CONTROL_BARRIER:
		peer->barriers[peer->barrier_count++] = request->id;
		break;
	default:
		control_peer_drop(peer);
	}
	if (door->packet.size > SCRATCH_KEPT)
		str_free(&door->packet);
}

/* Does what is asked; drops a peer that asks out of turn. */
static void
serve_request(struct control_door *door, struct control_peer *peer,
    const struct control_request *request)
{
	peer->seen = ++door->clock;
	switch (peer->state) {
	case PEER_NEW:
		if (request->kind == CONTROL_SUBSCRIBE)
			subscribe(door, peer);
		else
			serve_admin(door, peer, request);
		break;
	case PEER_ADMIN:
		serve_admin(door, peer, request);
		break;
	case PEER_ASKING:
		control_peer_drop(peer);
		break;
	case PEER_LISTENING:
		serve_subscriber(door, peer, request);
		break;
	}
}

/* ---- reading ------------------------------------------------------------ */

/* True if more of this peer's requests can be taken now. */
static bool
has_room(const struct control_door *door, const struct control_peer *peer)
{
	if (peer->fd == -1 || door->failed ||
	    peer->barrier_count >= CONTROL_PEER_BARRIERS)
		return false;
	if (peer->state == PEER_ADMIN)
		return !peer->blocked && !peer->wants_orders;
	return !ledger_is_full(door->ledger, NULL);
}

static void
read_peer(struct control_door *door, struct control_peer *peer)
{
	struct control_request request;
	int passed;

	for (int i = 0; i < REQUESTS_PER_TURN && has_room(door, peer);) {
		struct span packet;
		ssize_t got = fd_receive_packet(
		    peer->fd, door->buffer, FD_PACKET_MAX, &passed);

		fd_close(passed); /* none is expected */
		if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		/* the end, or an error, is no request */
		packet = (struct span){door->buffer, got > 0 ? (size_t)got : 0};
		do {
			if (control_request_decode(packet, &request) == -1) {
				control_peer_drop(peer);
				return;
			}
			serve_request(door, peer, &request);
			packet = request.rest;
			i++;
		} while (packet.len > 0 && peer->fd != -1);
		/* one a turn, so that nobody waits for many */
		if (peer->state == PEER_ADMIN)
			return;
	}
}

static bool
may_come_in(const struct control_door *door, int fd, uid_t *uid)
{
	const struct accounts *accounts = door->ledger->accounts;

	if (privilege_peer(fd, uid) == -1)
		return false;
	return *uid == 0 || *uid == accounts->qmails || *uid == geteuid();
}

static size_t
count_peers(const struct control_door *door, uid_t uid)
{
	size_t count = 0;

	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		if (door->peers[i].fd != -1 && door->peers[i].uid == uid)
			count++;
	}
	return count;
}

/*
 * A place for a newcomer. If there is none, the peer goes that has been silent
 * for longest among those of the uid that has most: nobody can keep another
 * uid out, and nobody the subscriber.
 */
static struct control_peer *
make_place(struct control_door *door)
{
	struct control_peer *victim = NULL;
	size_t most = 0;

	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		struct control_peer *peer = &door->peers[i];
		size_t count;

		if (peer->fd == -1)
			return peer;
		if (peer->state >= PEER_ASKING)
			continue;
		count = count_peers(door, peer->uid);
		if (victim == NULL || count > most ||
		    (count == most && peer->seen < victim->seen)) {
			victim = peer;
			most = count;
		}
	}
	control_peer_drop(victim);
	return victim;
}

static void
accept_peers(struct control_door *door)
{
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		int fd = accept(door->listener, NULL, NULL);
		uid_t uid;

		if (fd == -1)
			return;
		if (fd_cloexec(fd) == -1 || fd_nonblock(fd) == -1 ||
		    !may_come_in(door, fd, &uid)) {
			fd_close(fd);
			continue;
		}
		*make_place(door) = (struct control_peer){
		    .fd = fd, .uid = uid, .seen = ++door->clock};
	}
}

/* ---- poll --------------------------------------------------------------- */

int
control_door_open(struct control_door *door, int listener,
    struct ledger *ledger, struct orders *orders)
{
	*door = (struct control_door){.listener = listener,
	    .ledger = ledger,
	    .orders = orders,
	    .packet = STR_INIT,
	    .lines = STR_INIT};
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++)
		door->peers[i].fd = -1;
	door->buffer = mem_try_alloc(FD_PACKET_MAX, 1);
	return door->buffer != NULL ? 0 : -1;
}

void
control_door_poll(const struct control_door *door, struct pollfd *items)
{
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		const struct control_peer *peer = &door->peers[i];
		short events = peer->blocked ? POLLOUT : 0;

		if (has_room(door, peer))
			events |= POLLIN;
		/* without events a lost peer would wake us for nothing */
		items[i] = (struct pollfd){
		    .fd = events != 0 ? peer->fd : -1, .events = events};
	}
	items[CONTROL_DOOR_PEERS] =
	    (struct pollfd){.fd = door->listener, .events = POLLIN};
}

void
control_door_serve(struct control_door *door, const struct pollfd *items)
{
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		struct control_peer *peer = &door->peers[i];

		if (items[i].revents == 0 || peer->fd == -1)
			continue;
		if (peer->blocked && (items[i].revents & ~POLLIN) != 0) {
			peer->blocked = false;
			catch_up(door, peer);
		}
		read_peer(door, peer);
	}
	if (items[CONTROL_DOOR_PEERS].revents != 0)
		accept_peers(door);
}

void
control_door_free(struct control_door *door)
{
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++)
		control_peer_drop(&door->peers[i]);
	fd_close(door->listener);
	free(door->buffer);
	free(door->ended);
	str_free(&door->packet);
	str_free(&door->lines);
	str_free(&door->news);
}
