#include "queue/control_door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/privilege.h"
#include "mail/netstring.h"

enum {
	REQUESTS_PER_TURN = 1000,
};

/* ---- requests ----------------------------------------------------------- */

int
control_request_decode(struct span packet, struct control_request *request)
{
	static const struct {
		char letter;
		enum control_kind kind;
		int fields; /* id, index, text */
	} table[] = {
	    {'S', CONTROL_SUBSCRIBE, 0},
	    {'D', CONTROL_DONE, 2},
	    {'F', CONTROL_FAILED, 3},
	    {'R', CONTROL_RETIRE, 1},
	    {'B', CONTROL_BARRIER, 1},
	};
	struct span letter;

	*request = (struct control_request){.text = {"", 0}};
	if (netstring_take(&packet, &letter) == -1 || letter.len != 1)
		return -1;
	for (size_t i = 0; i < COUNT(table); i++) {
		if (table[i].letter != letter.s[0])
			continue;
		request->kind = table[i].kind;
		if (table[i].fields >= 1 &&
		    netstring_take_u64(&packet, &request->id) == -1)
			return -1;
		if (table[i].fields >= 2 &&
		    netstring_take_u64(&packet, &request->index) == -1)
			return -1;
		if (table[i].fields >= 3 &&
		    netstring_take(&packet, &request->text) == -1)
			return -1;
		return packet.len == 0 ? 0 : -1;
	}
	return -1;
}

/* ---- talking ------------------------------------------------------------ */

static void
drop(struct control_peer *peer)
{
	fd_close(peer->fd);
	*peer = (struct control_peer){.fd = -1};
}

/* True if it was sent. Else the peer is blocked, or gone. */
static bool
tell(struct control_peer *peer, const char *letter, const uint64_t *number)
{
	struct str packet = STR_INIT;
	int result;

	if (peer->fd == -1 || peer->blocked)
		return false;
	netstring_append(&packet, span_of(letter));
	if (number != NULL)
		netstring_append_u64(&packet, *number);
	result = fd_send_packet(peer->fd, str_span(&packet), -1);
	str_free(&packet);
	if (result == 0)
		return true;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
		peer->blocked = true;
	else
		drop(peer);
	return false;
}

/* Says what has not been said, most important first. */
static void
catch_up(struct control_door *door, struct control_peer *peer)
{
	if (peer->behind && tell(peer, "L", &door->ledger->durable_id))
		peer->behind = false;
	if (peer->durable > peer->told && tell(peer, "A", &peer->durable))
		peer->told = peer->durable;
	while (peer->barriers_due > 0 && tell(peer, "B", &peer->barriers[0])) {
		peer->barriers_due--;
		peer->barrier_count--;
		memmove(peer->barriers, peer->barriers + 1,
		    peer->barrier_count * sizeof(*peer->barriers));
	}
}

void
control_door_announce(struct control_door *door, uint64_t id)
{
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		struct control_peer *peer = &door->peers[i];

		if (peer->state == PEER_LISTENING && !peer->behind &&
		    !tell(peer, "N", &id))
			peer->behind = peer->fd != -1;
	}
}

void
control_door_committed(struct control_door *door)
{
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		struct control_peer *peer = &door->peers[i];

		if (peer->state != PEER_LISTENING)
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

		if (peer->state == PEER_ASKING &&
		    tell(peer, "H", &door->ledger->durable_id))
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

static bool
has_subscriber(const struct control_door *door)
{
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		if (door->peers[i].state != PEER_NEW)
			return true;
	}
	return false;
}

/* Only one may be told what to deliver, or everything would be twice. */
static void
subscribe(struct control_door *door, struct control_peer *peer)
{
	if (!has_subscriber(door)) {
		peer->state = PEER_ASKING;
		return;
	}
	if (tell(peer, "X", NULL))
		drop(peer);
}

/* Does what is asked; drops a peer that asks out of turn. */
static void
serve_request(struct control_door *door, struct control_peer *peer,
    const struct control_request *request)
{
	struct ledger *ledger = door->ledger;
	int result = 0;

	if (request->kind == CONTROL_SUBSCRIBE && peer->state == PEER_NEW) {
		subscribe(door, peer);
		return;
	}
	if (request->kind == CONTROL_SUBSCRIBE ||
	    peer->state != PEER_LISTENING) {
		drop(peer);
		return;
	}
	if (request->kind == CONTROL_BARRIER) {
		peer->barriers[peer->barrier_count++] = request->id;
		return;
	}
	peer->heard++;
	if (request->kind == CONTROL_RETIRE)
		ledger_retire(ledger, request->id);
	else
		result = ledger_change(ledger,
		    request->kind == CONTROL_DONE ? JOURNAL_DONE
						  : JOURNAL_FAILED,
		    request->id, request->index, request->text);
	if (result == -1) {
		warn_sys("cannot read files of message %llu",
		    (unsigned long long)request->id);
		door->failed = true;
	}
}

/* True if more of this peer's requests can be taken now. */
static bool
has_room(const struct control_door *door, const struct control_peer *peer)
{
	return peer->fd != -1 && !door->failed &&
	    peer->barrier_count < CONTROL_DOOR_BARRIERS &&
	    !ledger_is_full(door->ledger, NULL);
}

static void
read_peer(struct control_door *door, struct control_peer *peer)
{
	struct control_request request;
	int passed;

	for (int i = 0; i < REQUESTS_PER_TURN && has_room(door, peer); i++) {
		ssize_t got = fd_receive_packet(
		    peer->fd, door->buffer, FD_PACKET_MAX, &passed);

		fd_close(passed); /* none is expected */
		if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (got <= 0 ||
		    control_request_decode(
			(struct span){door->buffer, (size_t)got}, &request) ==
			-1) {
			drop(peer);
			return;
		}
		serve_request(door, peer, &request);
	}
}

static bool
may_come_in(const struct control_door *door, int fd)
{
	const struct accounts *accounts = door->ledger->accounts;
	uid_t uid;

	if (privilege_peer(fd, &uid) == -1)
		return false;
	return uid == 0 || uid == accounts->qmails || uid == geteuid();
}

static void
accept_peers(struct control_door *door)
{
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		int fd;

		if (door->peers[i].fd != -1)
			continue;
		fd = accept(door->listener, NULL, NULL);
		if (fd == -1)
			return;
		if (fd_cloexec(fd) == -1 || fd_nonblock(fd) == -1 ||
		    !may_come_in(door, fd)) {
			fd_close(fd);
			continue;
		}
		door->peers[i] = (struct control_peer){.fd = fd};
	}
}

/* ---- poll --------------------------------------------------------------- */

int
control_door_open(
    struct control_door *door, int listener, struct ledger *ledger)
{
	*door = (struct control_door){.listener = listener, .ledger = ledger};
	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++)
		door->peers[i].fd = -1;
	door->buffer = mem_try_alloc(FD_PACKET_MAX, 1);
	return door->buffer != NULL ? 0 : -1;
}

void
control_door_poll(const struct control_door *door, struct pollfd *items)
{
	bool room = false;

	for (size_t i = 0; i < CONTROL_DOOR_PEERS; i++) {
		const struct control_peer *peer = &door->peers[i];
		short events = peer->blocked ? POLLOUT : 0;

		if (has_room(door, peer))
			events |= POLLIN;
		/* without events a lost peer would wake us for nothing */
		items[i] = (struct pollfd){
		    .fd = events != 0 ? peer->fd : -1, .events = events};
		room = room || peer->fd == -1;
	}
	items[CONTROL_DOOR_PEERS] =
	    (struct pollfd){.fd = room ? door->listener : -1, .events = POLLIN};
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
		drop(&door->peers[i]);
	fd_close(door->listener);
	free(door->buffer);
}
