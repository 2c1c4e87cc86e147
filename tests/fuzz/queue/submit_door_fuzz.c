/*
 * submit.sock as a whole: clients that come, send pieces or whole fields of any
 * kind, go away, while messages are synced, put into the batch and committed,
 * in an order that the input chooses. Each client hears one answer or none;
 * whoever hears K has a message in the queue that was committed, under an id of
 * its own; and when all are gone nothing of theirs is left in tmp/ or memory.
 */
#include "../fuzz.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/num.h"
#include "mail/netstring.h"
#include "queue/store.h"
#include "queue/submit_door.h"

enum {
	CLIENTS = 4,
	PLACES = 3, /* so that one has to wait outside */
	LARGE_BYTES = 300,
	IDS_MAX = 256,
};

static struct {
	struct ledger ledger;
	struct cleaners cleaners;
	struct submit_door door;
	int fds[CLIENTS]; /* -1: not connected */
	struct str heard[CLIENTS];
	bool committed[IDS_MAX], told[IDS_MAX];
	uint64_t last_committed;
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
note_committed(void *owner, uint64_t id, struct span env)
{
	(void)owner;
	require(env.len <= SUBMIT_DOOR_ENV_MAX);
	require(id > world.last_committed && id < IDS_MAX);
	world.last_committed = id;
	world.committed[id] = true;
	require(store_has(QUEUE_ENV, id) == 1);
	require(store_has(QUEUE_MESS, id) == 1);
}

static int
open_listener(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "sock"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)unlink("sock");
	require(fd != -1 && fd_nonblock(fd) == 0);
	require(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	require(listen(fd, CLIENTS) == 0);
	return fd;
}

static void
open_world(void)
{
	static const struct accounts accounts = {.alone = true};
	static bool is_made;
	struct str failed = STR_INIT;

	fuzz_enter_directory();
	if (!is_made)
		require(store_make_directories(&failed) == 0);
	is_made = true;
	str_free(&failed);
	memset(&world, 0, sizeof(world));
	world.cleaners.syncs_end = &world.cleaners.syncs;
	world.cleaners.longs_end = &world.cleaners.longs;
	for (size_t i = 0; i < CLEANERS; i++)
		world.cleaners.workers[i].fd = -1;
	ledger_init(&world.ledger, &accounts, &world.cleaners);
	journal_init(&world.ledger.journal, JOURNAL_SLOTS_MIN, 1024);
	require(submit_door_open(
		    &world.door, open_listener(), &world.ledger, PLACES) == 0);
	world.door.rules.large_bytes = LARGE_BYTES;
	world.door.committed = note_committed;
	for (size_t i = 0; i < CLIENTS; i++) {
		world.fds[i] = -1;
		world.heard[i] = (struct str)STR_INIT;
	}
}

/* What a commit does, but for the disk. */
static void
commit(void)
{
	struct ledger *ledger = &world.ledger;

	submit_door_fill(&world.door);
	ledger->durable_id = ledger->next_id;
	journal_free(&ledger->journal);
	journal_init(&ledger->journal, JOURNAL_SLOTS_MIN, 1024);
	submit_door_committed(&world.door);
	require(!submit_door_has_batch(&world.door));
}

/* A qmail-clean has done the oldest of its syncs, or failed. */
static void
sync_one(bool ok)
{
	struct cleaners_task *task = world.cleaners.syncs;

	if (task == NULL)
		return;
	world.cleaners.syncs = task->next;
	if (task->next == NULL)
		world.cleaners.syncs_end = &world.cleaners.syncs;
	submit_door_synced(&world.door, task->a, ok);
	free(task);
}

static void
serve(int64_t now_ms)
{
	struct pollfd items[PLACES + 1];
	size_t count = submit_door_poll(&world.door, items, now_ms);

	require(count <= PLACES + 1);
	(void)poll(items, count, 0);
	submit_door_serve(&world.door, items, count, now_ms);
	require(world.door.count <= PLACES);
	submit_door_fill(&world.door);
}

/* ---- clients ------------------------------------------------------------ */

static void
connect_client(size_t i)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "sock"};

	if (world.fds[i] != -1)
		return;
	world.fds[i] = socket(AF_UNIX, SOCK_STREAM, 0);
	/* where too many wait outside, it does not wait for a place there */
	require(world.fds[i] != -1 && fd_nonblock(world.fds[i]) == 0);
	if (connect(world.fds[i], (struct sockaddr *)&to, sizeof(to)) == -1) {
		fd_close(world.fds[i]);
		world.fds[i] = -1;
	}
	str_clear(&world.heard[i]);
}

static void
check_heard(const struct str *heard)
{
	struct span rest = str_span(heard), word;
	uint64_t number;

	if (heard->len == 0)
		return;
	require(netstring_take(&rest, &word) == 0 && rest.len == 0);
	require(word.len > 1);
	require(num_parse_u64(span_from(word, 1), &number) == 0);
	if (word.s[0] == 'E') {
		require(number > 0 && number < 256);
		return;
	}
	require(word.s[0] == 'K');
	if (number == 0)
		return; /* to W */
	require(number < IDS_MAX && world.committed[number]);
	require(!world.told[number]);
	world.told[number] = true;
}

/* Hears to the end, if it is there; the answer comes once. */
static void
hear(size_t i)
{
	char buf[256];
	ssize_t got;

	if (world.fds[i] == -1)
		return;
	while ((got = recv(world.fds[i], buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		str_append(&world.heard[i], buf, (size_t)got);
	require(world.heard[i].len < 32);
}

static void
leave(size_t i)
{
	if (world.fds[i] == -1)
		return;
	hear(i);
	check_heard(&world.heard[i]);
	fd_close(world.fds[i]);
	world.fds[i] = -1;
}

static void
say(size_t i, struct span bytes)
{
	connect_client(i);
	if (world.fds[i] != -1 && bytes.len > 0)
		(void)send(world.fds[i], bytes.s, bytes.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A whole field; or all of a small message. */
static void
say_field(size_t i, unsigned char how, struct span *input)
{
	struct str field = STR_INIT, packet = STR_INIT;

	if (how % 8 == 7) {
		say(i, SPAN_LITERAL("3:Mm\n,2:Fs,4:Ta@b,1:.,"));
		return;
	}
	str_append_char(&field, "PMFTOW."[how % 8]);
	if (how % 8 < 5)
		str_append_span(&field, fuzz_until(input, '\n'));
	netstring_append(&packet, str_span(&field));
	say(i, str_span(&packet));
	str_free(&field);
	str_free(&packet);
}

/* ---- what happens ------------------------------------------------------- */

static void
happen(struct span *input, int64_t *now_ms)
{
	unsigned char what = fuzz_byte(input), how = what / 32;
	size_t i = what / 8 % CLIENTS;

	switch (what % 8) {
	case 0:
		say(i, fuzz_some(input, fuzz_byte(input)));
		break;
	case 1:
	case 2:
		say_field(i, how, input);
		break;
	case 3:
		serve(*now_ms);
		break;
	case 4:
		commit();
		break;
	case 5:
		sync_one(how != 0);
		break;
	case 6:
		leave(i);
		break;
	default:
		*now_ms += how == 7 ? SUBMIT_DOOR_IDLE_S * 1001 : 600;
	}
}

static size_t
count_tmp(void)
{
	DIR *dir = opendir("tmp");
	size_t count = 0;

	require(dir != NULL);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count - 2; /* . and .. */
}

/* Everybody goes; what is complete is committed first. */
static void
close_world(int64_t now_ms)
{
	serve(now_ms);
	while (world.cleaners.syncs != NULL)
		sync_one(true);
	commit();
	for (size_t i = 0; i < CLIENTS; i++)
		leave(i);
	for (size_t i = 0; i < 3; i++) /* those outside come in */
		serve(now_ms);
	while (world.cleaners.syncs != NULL)
		sync_one(true);
	commit();
	require(world.door.count == 0);
	require(world.door.rules.addresses_total == 0);
	require(count_tmp() == 0);
	for (uint64_t id = 1; id < IDS_MAX; id++) {
		if (world.committed[id])
			require(store_remove_all(id) == 0);
	}
	submit_door_free(&world.door);
	ledger_free(&world.ledger);
	for (size_t i = 0; i < CLIENTS; i++)
		str_free(&world.heard[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	int64_t now_ms = 1000;

	open_world();
	while (input.len > 0)
		happen(&input, &now_ms);
	close_world(now_ms);
	return 0;
}
