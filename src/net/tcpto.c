#include "net/tcpto.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/pack.h"

enum {
	AT_COUNT = 4,
	AT_TIME = 8,
	COUNT_DEAD = 2,
	COUNT_MAX = 10,
	PAUSE_UNIT_S = 64,
	PAUSE_UNITS = 60, /* and up to 31 more, by process */
	SAME_EVENT_S = 120,
	AGE_PER_COUNT_S = 1024,
	LOCK_TRIES = 10,
	LOCK_PAUSE_MS = 20,
};

static unsigned
count_of(const char *record)
{
	return (unsigned char)record[AT_COUNT];
}

static int64_t
time_of(const char *record)
{
	return (int64_t)unpack_u32(record + AT_TIME);
}

/* Offset of ip's record, or SPAN_NONE. A record never used is no record. */
static size_t
find(const struct tcpto_table *table, const struct ip *ip)
{
	for (size_t at = 0; at < table->len; at += TCPTO_RECORD_SIZE) {
		const char *record = table->bytes + at;

		if (memcmp(record, ip->bytes, 4) == 0 &&
		    (count_of(record) > 0 || time_of(record) != 0))
			return at;
	}
	return SPAN_NONE;
}

bool
tcpto_table_is_dead(const struct tcpto_table *table, const struct ip *ip,
    int64_t now_s, pid_t pid, bool *known)
{
	int64_t pause = (PAUSE_UNITS + (pid & 31)) * PAUSE_UNIT_S;
	size_t at = ip->version == 4 ? find(table, ip) : SPAN_NONE;

	*known = at != SPAN_NONE;
	return *known && count_of(table->bytes + at) >= COUNT_DEAD &&
	    now_s - time_of(table->bytes + at) < pause;
}

/* The record that a new address takes: a free one, or the least missed. */
static size_t
choose(const struct tcpto_table *table)
{
	size_t best = SPAN_NONE;
	int64_t best_value = 0;

	for (size_t at = 0; at < table->len; at += TCPTO_RECORD_SIZE) {
		const char *record = table->bytes + at;
		int64_t value =
		    time_of(record) + AGE_PER_COUNT_S * count_of(record);

		if (count_of(record) == 0)
			return at;
		if (best == SPAN_NONE || value < best_value) {
			best = at;
			best_value = value;
		}
	}
	return best;
}

size_t
tcpto_table_note(struct tcpto_table *table, const struct ip *ip, int64_t now_s,
    bool timed_out)
{
	size_t at = ip->version == 4 ? find(table, ip) : SPAN_NONE;
	char *record;
	unsigned count;

	if (at == SPAN_NONE && (!timed_out || ip->version != 4))
		return SPAN_NONE;
	if (at == SPAN_NONE) {
		at = choose(table);
		if (at == SPAN_NONE)
			return SPAN_NONE;
		memset(table->bytes + at, 0, TCPTO_RECORD_SIZE);
		memcpy(table->bytes + at, ip->bytes, 4);
	}
	record = table->bytes + at;
	count = count_of(record);
	if (!timed_out) {
		if (count == 0)
			return SPAN_NONE;
		record[AT_COUNT] = 0;
		return at;
	}
	/* deliveries side by side meet the same timeout: it counts once */
	if (count > 0 && now_s - time_of(record) < SAME_EVENT_S)
		return SPAN_NONE;
	record[AT_COUNT] = (char)(count < COUNT_MAX ? count + 1 : COUNT_MAX);
	pack_u32(record + AT_TIME, (uint32_t)now_s);
	return at;
}

int
tcpto_table_next(
    const struct tcpto_table *table, size_t *at, struct tcpto_entry *entry)
{
	while (*at < table->len) {
		const char *record = table->bytes + *at;

		*at += TCPTO_RECORD_SIZE;
		if (count_of(record) == 0)
			continue;
		entry->ip = ip_from_bytes(4, (const unsigned char *)record);
		entry->count = count_of(record);
		entry->last_s = time_of(record);
		return 1;
	}
	return 0;
}

/* Reads what is there; 0, or -1. */
static int
load(int fd, struct tcpto_table *table)
{
	ssize_t got = pread(fd, table->bytes, sizeof(table->bytes), 0);

	if (got == -1)
		return -1;
	table->len = (size_t)got - (size_t)got % TCPTO_RECORD_SIZE;
	return 0;
}

int
tcpto_load(struct tcpto_table *table)
{
	int fd = open(TCPTO_PATH, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result;

	if (fd == -1)
		return -1;
	/* unlocked: a record is written by one small write, and a wrong guess
	   costs one connect more or a delay */
	result = load(fd, table);
	fd_close(fd);
	return result;
}

bool
tcpto_is_dead(const struct ip *ip, bool *known)
{
	struct tcpto_table table;

	*known = false;
	return tcpto_load(&table) == 0 &&
	    tcpto_table_is_dead(&table, ip, clock_now(), getpid(), known);
}

/* Anyone who may read the file can lock it: so nobody waits for long. */
static int
lock(int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (fcntl(fd, F_SETLK, &whole) == 0)
			return 0;
		if (errno != EACCES && errno != EAGAIN && errno != EINTR)
			return -1;
		(void)poll(NULL, 0, LOCK_PAUSE_MS);
	}
	return -1;
}

void
tcpto_note(const struct ip *ip, bool known, bool timed_out)
{
	struct tcpto_table table;
	size_t at;
	int fd;

	if (ip->version != 4 || (!timed_out && !known))
		return;
	fd = open(TCPTO_PATH, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return;
	if (lock(fd) == 0 && load(fd, &table) == 0) {
		at = tcpto_table_note(&table, ip, clock_now(), timed_out);
		/* a memory aid: what cannot be written is not remembered */
		if (at != SPAN_NONE)
			(void)!pwrite(
			    fd, table.bytes + at, TCPTO_RECORD_SIZE, (off_t)at);
	}
	fd_close(fd); /* and with it the lock */
}

int
tcpto_clear(bool make)
{
	static const char zero[TCPTO_SIZE];
	int fd = open(TCPTO_PATH,
	    O_RDWR | (make ? O_CREAT : 0) | O_CLOEXEC | O_NONBLOCK, 0644);
	int result = -1;

	if (fd == -1)
		return -1;
	(void)lock(fd); /* emptying is right in any case */
	if (ftruncate(fd, 0) == 0 && fd_write_all(fd, zero, sizeof(zero)) == 0)
		result = 0;
	fd_close(fd);
	return result;
}
