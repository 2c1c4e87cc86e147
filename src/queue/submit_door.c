#include "queue/submit_door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/privilege.h"
#include "mail/netstring.h"
#include "queue/store.h"

enum {
	READ_BYTES = 256 * 1024,
	ACCEPTS_PER_TURN = 64,
	CHECK_MS = 1000,
	CHECK_BYTES = 1024 * 1024, /* far less than the room that is kept */
	SHARE = 3,                 /* see is_over_share */
	PAUSE_MS = 1000,           /* after running out of descriptors */
};

enum client_phase {
	CLIENT_READING,
	CLIENT_SYNCING, /* a qmail-clean has its file */
	CLIENT_READY,
	CLIENT_BATCH,
	CLIENT_WAITING, /* for those before it that take messages over */
	CLIENT_OVER,    /* answered, or gone: freed at the end of the turn */
};

struct submit_client {
	int fd;
	enum client_phase phase;
	struct submission submission;
	uint64_t id;
	struct str env; /* once it has an id; empty: not to be told */
	int64_t start_ms, heard_ms;
	struct submit_client *next; /* in ready or batch */
};

int
submit_door_open(
    struct submit_door *door, int listener, struct ledger *ledger, size_t max)
{
	*door = (struct submit_door){
	    .listener = listener, .ledger = ledger, .max = max};
	door->ready_end = &door->ready;
	door->batch_end = &door->batch;
	door->rules.accounts = ledger->accounts;
	door->rules.next_tmp = 1;
	door->rules.next_id = &ledger->next_id;
	door->buffer = mem_try_alloc(READ_BYTES, 1);
	door->clients = mem_try_alloc(max, sizeof(struct submit_client *));
	return door->buffer != NULL && door->clients != NULL ? 0 : -1;
}

/* ---- answers ------------------------------------------------------------ */

static void
answer(struct submit_client *client, char letter, uint64_t number)
{
	struct str body = STR_INIT, packet = STR_INIT;
	struct span rest;
	ssize_t sent;

	str_append_char(&body, letter);
	str_append_u64(&body, number);
	netstring_append(&packet, str_span(&body));
	/* Twenty bytes into an empty buffer: there is room, or nobody is there
	   to read them. Either way the message is where it is. */
	rest = str_span(&packet);
	do {
		sent = send(
		    client->fd, rest.s, rest.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0)
			rest = span_from(rest, (size_t)sent);
	} while (rest.len > 0 && (sent > 0 || (sent == -1 && errno == EINTR)));
	client->phase = CLIENT_OVER;
	str_free(&body);
	str_free(&packet);
}

static void
free_client(struct submit_door *door, struct submit_client *client)
{
	fd_close(client->fd);
	submission_free(&client->submission, &door->rules);
	str_free(&client->env);
	free(client);
}

static void
sweep(struct submit_door *door)
{
	size_t kept = 0;

	for (size_t i = 0; i < door->count; i++) {
		if (door->clients[i]->phase == CLIENT_OVER)
			free_client(door, door->clients[i]);
		else
			door->clients[kept++] = door->clients[i];
	}
	door->count = kept;
}

/* ---- room on the disk --------------------------------------------------- */

static void
check_space(struct submit_door *door)
{
	door->rules.full = store_is_full();
	door->unchecked = 0;
}

/* So many bytes go to the disk: fast clients must not use up between two looks
   what deliveries need. */
static void
count_bytes(struct submit_door *door, uint64_t bytes)
{
	door->unchecked += bytes;
	if (door->unchecked >= CHECK_BYTES)
		check_space(door);
}

/* ---- reading ------------------------------------------------------------ */

static void
enqueue(struct submit_client ***end, struct submit_client *client)
{
	client->next = NULL;
	**end = client;
	*end = &client->next;
}

static void
make_ready(struct submit_door *door, struct submit_client *client)
{
	client->phase = CLIENT_READY;
	enqueue(&door->ready_end, client);
}

static void
complete(struct submit_door *door, struct submit_client *client)
{
	const struct submission *submission = &client->submission;
	const struct letter *letter = &submission->letter;

	if (submission->code != 0) {
		answer(client, 'E', (uint64_t)submission->code);
	} else if (letter->is_large) {
		client->phase = CLIENT_SYNCING;
		cleaners_add(door->ledger->cleaners, CLEAN_SYNC, letter->number,
		    letter->env_file ? 1 : 0);
	} else {
		make_ready(door, client);
	}
}

static void
read_client(
    struct submit_door *door, struct submit_client *client, int64_t now_ms)
{
	ssize_t got;

	do
		got = recv(client->fd, door->buffer, READ_BYTES, MSG_DONTWAIT);
	while (got == -1 && errno == EINTR);
	if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (got <= 0) { /* it changed its mind, or died */
		client->phase = CLIENT_OVER;
		return;
	}
	client->heard_ms = now_ms;
	count_bytes(door, (uint64_t)got);
	switch (submission_feed(&client->submission, &door->rules,
	    (struct span){door->buffer, (size_t)got})) {
	case SUBMISSION_MORE:
		break;
	case SUBMISSION_COMPLETE:
		complete(door, client);
		break;
	case SUBMISSION_WAIT:
		client->phase = CLIENT_WAITING;
		break;
	case SUBMISSION_DROP:
		client->phase = CLIENT_OVER;
		break;
	}
}

/*
 * Answers those who wait until nobody before them, in the order of their
 * connections, can take a message over any more. Somebody who was killed after
 * sending a message may have left it in a socket: who comes after him, and
 * looks what is queued, must see it.
 */
static void
release_waiting(struct submit_door *door)
{
	for (size_t i = 0; i < door->count; i++) {
		struct submit_client *client = door->clients[i];

		if (client->phase == CLIENT_OVER)
			continue;
		if (client->phase == CLIENT_WAITING)
			answer(client, 'K', 0);
		else if (submission_may_take_over(
			     &client->submission, &door->rules))
			return;
	}
}

/* ---- coming in ---------------------------------------------------------- */

/*
 * True if the user whose client is the last one has too many: nobody may have
 * more than SHARE times what is left for others, so that no user, not even
 * several together, can lock out the rest.
 */
static bool
is_over_share(const struct submit_door *door)
{
	const struct submit_client *last = door->clients[door->count - 1];
	size_t others = door->count - 1, same = 0;

	if (others <= door->max / 2)
		return false; /* cannot be */
	for (size_t i = 0; i < others; i++)
		same +=
		    door->clients[i]->submission.uid == last->submission.uid;
	return same >= SHARE * (door->max - others);
}

/* 1 somebody came in, 0 nobody is there or there is no room. */
static int
accept_one(struct submit_door *door, int64_t now_ms)
{
	struct submit_client *client;
	uid_t uid;
	int fd;

	if (door->count == door->max)
		return 0;
	fd = fd_accept(door->listener);
	if (fd == -1) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			door->accept_after_ms = now_ms + PAUSE_MS;
		return errno == ECONNABORTED || errno == EINTR;
	}
	client = mem_try_alloc(1, sizeof(*client));
	if (client == NULL || privilege_peer(fd, &uid) == -1) {
		free(client);
		fd_close(fd); /* it tries again, or fails for now */
		return 1;
	}
	client->fd = fd;
	client->env = (struct str)STR_INIT;
	client->start_ms = client->heard_ms = now_ms;
	submission_init(&client->submission, uid);
	door->clients[door->count++] = client;
	/* mostly the whole message is there already */
	if (is_over_share(door))
		answer(client, 'E', SUBMIT_DOOR_CODE_BUSY);
	else
		read_client(door, client, now_ms);
	return 1;
}

static void
check_deadlines(struct submit_door *door, int64_t now_ms)
{
	if (now_ms - door->checked_ms < CHECK_MS)
		return;
	door->checked_ms = now_ms;
	check_space(door);
	for (size_t i = 0; i < door->count; i++) {
		struct submit_client *client = door->clients[i];

		if (client->phase == CLIENT_READING &&
		    (now_ms - client->heard_ms >
			    SUBMIT_DOOR_IDLE_S * (int64_t)1000 ||
			now_ms - client->start_ms >
			    SUBMIT_DOOR_TOTAL_S * (int64_t)1000))
			client->phase = CLIENT_OVER;
	}
}

/* ---- poll --------------------------------------------------------------- */

size_t
submit_door_poll_max(const struct submit_door *door)
{
	return door->count + 1;
}

/* The listener first, then one item for each client. */
size_t
submit_door_poll(
    const struct submit_door *door, struct pollfd *items, int64_t now_ms)
{
	bool open = door->listener != -1 && door->count < door->max &&
	    now_ms >= door->accept_after_ms;

	items[0] =
	    (struct pollfd){.fd = open ? door->listener : -1, .events = POLLIN};
	for (size_t i = 0; i < door->count; i++) {
		const struct submit_client *client = door->clients[i];
		bool reads = client->phase == CLIENT_READING;

		items[i + 1] = (struct pollfd){
		    .fd = reads ? client->fd : -1, .events = POLLIN};
	}
	return door->count + 1;
}

void
submit_door_serve(struct submit_door *door, const struct pollfd *items,
    size_t count, int64_t now_ms)
{
	check_deadlines(door, now_ms);
	for (size_t i = 1; i < count; i++) {
		if (items[i].revents != 0 &&
		    door->clients[i - 1]->phase == CLIENT_READING)
			read_client(door, door->clients[i - 1], now_ms);
	}
	if (items[0].revents != 0) {
		for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
			if (accept_one(door, now_ms) != 1)
				break;
		}
	}
	release_waiting(door);
	sweep(door);
}

/* ---- into the batch, and out -------------------------------------------- */

void
submit_door_synced(struct submit_door *door, uint64_t number, bool ok)
{
	for (size_t i = 0; i < door->count; i++) {
		struct submit_client *client = door->clients[i];

		if (client->phase != CLIENT_SYNCING ||
		    client->submission.letter.number != number)
			continue;
		if (ok)
			make_ready(door, client);
		else
			answer(client, 'E', SUBMIT_DOOR_CODE_FAILED);
		return;
	}
}

bool
submit_door_has_ready(const struct submit_door *door)
{
	return door->ready != NULL;
}

bool
submit_door_has_batch(const struct submit_door *door)
{
	return door->batch != NULL;
}

/* Without memory for it the file will be read. */
static void
keep_env(struct submit_client *client, struct span env)
{
	if (env.len <= SUBMIT_DOOR_ENV_MAX)
		(void)!str_try_append(&client->env, env.s, env.len);
}

void
submit_door_fill(struct submit_door *door)
{
	while (door->ready != NULL) {
		struct submit_client *client = door->ready;
		const struct letter *letter = &client->submission.letter;
		int code = SUBMIT_DOOR_CODE_FAILED;

		if (ledger_is_full(door->ledger, letter))
			return;
		door->ready = client->next;
		if (door->ready == NULL)
			door->ready_end = &door->ready;
		if (!letter->is_large)
			count_bytes(door, letter_size(letter));
		if (!door->rules.full)
			code = ledger_accept(door->ledger,
			    &client->submission.letter, &client->id);
		if (code != 0) {
			answer(client, 'E', (uint64_t)code);
			continue;
		}
		keep_env(client, str_span(&door->ledger->env));
		client->phase = CLIENT_BATCH;
		enqueue(&door->batch_end, client);
	}
}

void
submit_door_committed(struct submit_door *door)
{
	struct submit_client *client = door->batch;

	door->batch = NULL;
	door->batch_end = &door->batch;
	for (; client != NULL; client = client->next) {
		answer(client, 'K', client->id);
		door->committed(
		    door->owner, client->id, str_span(&client->env));
	}
	release_waiting(door);
	sweep(door);
}

void
submit_door_fail(struct submit_door *door)
{
	for (size_t i = 0; i < door->count; i++) {
		struct submit_client *client = door->clients[i];

		if (client->phase == CLIENT_SYNCING ||
		    client->phase == CLIENT_READY ||
		    client->phase == CLIENT_BATCH)
			answer(client, 'E', SUBMIT_DOOR_CODE_FAILED);
	}
}

/* ---- the end ------------------------------------------------------------ */

void
submit_door_close(struct submit_door *door, int64_t now_ms)
{
	while (door->listener != -1 && accept_one(door, now_ms) == 1)
		continue;
	fd_close(door->listener);
	door->listener = -1;
}

void
submit_door_free(struct submit_door *door)
{
	for (size_t i = 0; i < door->count; i++)
		free_client(door, door->clients[i]);
	free(door->clients);
	free(door->buffer);
	fd_close(door->listener);
	*door = (struct submit_door){.listener = -1};
}
