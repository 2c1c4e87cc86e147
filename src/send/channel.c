#include "send/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/mem.h"
#include "mail/netstring.h"

int
channel_open(struct channel *channel, enum channel_kind kind, int fd)
{
	struct job_hello hello;
	ssize_t got;
	int passed;

	*channel = (struct channel){
	    .kind = kind, .fd = fd, .packet = STR_INIT, .packet_fd = -1};
	channel_ring_clear(&channel->fresh);
	channel_ring_clear(&channel->ring);
	channel->buf = mem_alloc(FD_PACKET_MAX, 1);
	if (fd_cloexec(fd) == -1 || fd_nonblock(fd) == -1 ||
	    fd_wait_readable(fd, CHANNEL_HELLO_MS) != 1)
		return -1;
	got = fd_receive_packet(fd, channel->buf, FD_PACKET_MAX, &passed);
	fd_close(passed); /* none is expected */
	if (got <= 0 ||
	    job_decode_hello(
		(struct span){channel->buf, (size_t)got}, &hello) == -1)
		return -1;
	channel->slots = hello.limit > CHANNEL_JOBS_MAX ? CHANNEL_JOBS_MAX
							: (size_t)hello.limit;
	channel->recipients_max = hello.recipients > JOB_RECIPIENTS_MAX
	    ? JOB_RECIPIENTS_MAX
	    : (size_t)hello.recipients;
	channel->jobs = mem_alloc(channel->slots, sizeof(*channel->jobs));
	channel->free_slots =
	    mem_alloc(channel->slots, sizeof(*channel->free_slots));
	while (channel->free_count < channel->slots) {
		channel->free_slots[channel->free_count] =
		    channel->slots - 1 - channel->free_count;
		channel->free_count++;
	}
	return 0;
}

void
channel_limit(struct channel *channel, unsigned long concurrency)
{
	channel->max =
	    concurrency < channel->slots ? concurrency : channel->slots;
}

void
channel_free(struct channel *channel)
{
	for (size_t i = 0; i < channel->slots && channel->jobs != NULL; i++)
		free(channel->jobs[i].recipients);
	free(channel->jobs);
	free(channel->free_slots);
	free(channel->buf);
	str_free(&channel->packet);
	fd_close(channel->packet_fd);
	fd_close(channel->fd);
}

/* ---- the rings ---------------------------------------------------------- */

void
channel_ring_clear(struct channel_ring *ring)
{
	ring->first = NULL;
	ring->end = &ring->first;
}

void
channel_ring_push(struct channel_ring *ring, struct pass *pass)
{
	pass->next = NULL;
	*ring->end = pass;
	ring->end = &pass->next;
}

void
channel_ring_push_first(struct channel_ring *ring, struct pass *pass)
{
	if (ring->first == NULL)
		ring->end = &pass->next;
	pass->next = ring->first;
	ring->first = pass;
}

struct pass *
channel_ring_pop(struct channel_ring *ring)
{
	struct pass *pass = ring->first;

	if (pass == NULL)
		return NULL;
	ring->first = pass->next;
	if (ring->first == NULL)
		ring->end = &ring->first;
	pass->next = NULL;
	return pass;
}

bool
channel_is_fresh_turn(struct channel *channel)
{
	if (channel->fresh.first == NULL ||
	    channel->fresh_turns == CHANNEL_FRESH_TURNS) {
		channel->fresh_turns = 0;
		return false;
	}
	channel->fresh_turns++;
	return true;
}

/* ---- jobs --------------------------------------------------------------- */

bool
channel_can_start(const struct channel *channel)
{
	return !channel->lost && channel->packet_fd == -1 &&
	    channel->running < channel->max;
}

struct channel_job *
channel_new_job(struct channel *channel, struct pass *pass, size_t count)
{
	size_t slot;
	struct channel_job *job;

	assert(channel->free_count > 0);
	slot = channel->free_slots[--channel->free_count];
	job = &channel->jobs[slot];
	/* never used twice, and its slot can be told from it */
	job->number = ++channel->sequence * channel->slots + slot;
	job->pass = pass;
	job->host = NULL;
	job->count = job->left = count;
	job->outcome = HOSTS_UNKNOWN;
	job->recipients = mem_alloc(count, sizeof(*job->recipients));
	channel->running++;
	return job;
}

void
channel_end_job(struct channel *channel, struct channel_job *job)
{
	free(job->recipients);
	*job = (struct channel_job){.number = 0};
	channel->free_slots[channel->free_count++] =
	    (size_t)(job - channel->jobs);
	channel->running--;
}

/* 0 sent or to be sent later, -1 the spawn is gone. */
static int
try_send(
    struct channel *channel, struct span packet, int message, int64_t now_ms)
{
	channel->retry_ms = 0;
	if (fd_send_packet(channel->fd, packet, message) == 0) {
		fd_close(message);
		channel->packet_fd = -1;
		return 0;
	}
	if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN ||
	    errno == EBADF) {
		fd_close(message);
		channel->packet_fd = -1;
		return -1;
	}
	if (packet.s != channel->packet.s)
		str_copy(&channel->packet, packet);
	channel->packet_fd = message;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		channel->retry_ms = now_ms + CHANNEL_STALL_MS;
	return 0;
}

int
channel_send(
    struct channel *channel, struct span packet, int message, int64_t now_ms)
{
	return try_send(channel, packet, message, now_ms);
}

int
channel_flush(struct channel *channel, int64_t now_ms)
{
	if (channel->packet_fd == -1 || now_ms < channel->retry_ms)
		return 0;
	return try_send(
	    channel, str_span(&channel->packet), channel->packet_fd, now_ms);
}

/* The job of that number, if that recipient of it has no result yet. */
static struct channel_job *
find_job(const struct channel *channel, uint64_t number, uint64_t index)
{
	struct channel_job *job;

	if (channel->slots == 0 || number == 0)
		return NULL;
	job = &channel->jobs[number % channel->slots];
	if (job->number != number || index >= job->count ||
	    job->recipients[index].done)
		return NULL;
	return job;
}

/* What can be understood of a packet that is no proper result. */
static enum channel_event
read_mangled(const struct channel *channel, struct span packet,
    struct channel_report *report)
{
	struct span kind;
	uint64_t number, index;

	if (netstring_take(&packet, &kind) == -1 || !span_is(kind, "R") ||
	    netstring_take_u64(&packet, &number) == -1 ||
	    netstring_take_u64(&packet, &index) == -1)
		return CHANNEL_GARBAGE;
	report->job = find_job(channel, number, index);
	report->result.index = (size_t)index;
	return report->job == NULL ? CHANNEL_GARBAGE : CHANNEL_MANGLED;
}

enum channel_event
channel_next(struct channel *channel, struct channel_report *report)
{
	struct span packet;
	ssize_t got;
	int passed;

	got = fd_receive_packet(
	    channel->fd, channel->buf, FD_PACKET_MAX, &passed);
	fd_close(passed); /* none is expected */
	if (got == -1) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return CHANNEL_NONE;
		return errno == EMSGSIZE || errno == ENOMEM ||
			errno == EMFILE || errno == ENFILE
		    ? CHANNEL_GARBAGE
		    : CHANNEL_LOST;
	}
	if (got == 0)
		return CHANNEL_LOST;
	packet = (struct span){channel->buf, (size_t)got};
	if (job_decode_result(packet, &report->result) == -1)
		return read_mangled(channel, packet, report);
	report->job =
	    find_job(channel, report->result.number, report->result.index);
	return report->job == NULL ? CHANNEL_GARBAGE : CHANNEL_RESULT;
}
