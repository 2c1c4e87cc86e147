#include "send/queue_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/pack.h"
#include "mail/netstring.h"

enum {
	HEAD = 4,               /* bytes before a kept packet */
	UNCOUNTED = 0x40000000, /* flag in the head: a barrier */
	TRIM_MIN = 64 * 1024,
};

void
queue_link_init(struct queue_link *link, const char *path)
{
	*link = (struct queue_link){.path = path,
	    .fd = -1,
	    .backoff_ms = QUEUE_LINK_BACKOFF_MS,
	    .buffer = mem_alloc(FD_PACKET_MAX, 1),
	    .requests = STR_INIT};
}

void
queue_link_free(struct queue_link *link)
{
	fd_close(link->fd);
	link->fd = -1;
	free(link->buffer);
	str_free(&link->requests);
}

/* ---- requests ----------------------------------------------------------- */

static void
keep(struct queue_link *link, const struct str *packet, uint32_t flag)
{
	char head[HEAD];

	pack_u32(head, (uint32_t)packet->len | flag);
	str_append(&link->requests, head, HEAD);
	str_append_span(&link->requests, str_span(packet));
}

static uint32_t
request(struct queue_link *link, const char *kind, uint64_t id,
    const uint64_t *index, const struct span *text)
{
	struct str packet = STR_INIT;

	netstring_append(&packet, span_of(kind));
	netstring_append_u64(&packet, id);
	if (index != NULL)
		netstring_append_u64(&packet, *index);
	if (text != NULL)
		netstring_append(&packet, *text);
	keep(link, &packet, kind[0] == 'B' ? UNCOUNTED : 0);
	str_free(&packet);
	if (kind[0] != 'B')
		link->made_count++;
	return link->made_count;
}

uint32_t
queue_link_delivered(struct queue_link *link, uint64_t id, uint64_t index)
{
	return request(link, "D", id, &index, NULL);
}

uint32_t
queue_link_failed(
    struct queue_link *link, uint64_t id, uint64_t index, struct span text)
{
	return request(link, "F", id, &index, &text);
}

uint32_t
queue_link_retire(struct queue_link *link, uint64_t id)
{
	return request(link, "R", id, NULL, NULL);
}

void
queue_link_barrier(struct queue_link *link, uint64_t id)
{
	(void)request(link, "B", id, NULL, NULL);
}

bool
queue_link_is_durable(const struct queue_link *link, uint32_t number)
{
	return (int32_t)(link->acked_count - number) >= 0;
}

bool
queue_link_is_idle(const struct queue_link *link)
{
	return link->acked_count == link->made_count;
}

bool
queue_link_is_full(const struct queue_link *link)
{
	return link->requests.len - link->acked > QUEUE_LINK_BUFFER_MAX;
}

/* Steps over the packet at *offset; true if it counts as a request. */
static bool
skip_packet(const struct queue_link *link, size_t *offset)
{
	uint32_t head = unpack_u32(link->requests.s + *offset);

	*offset += HEAD + (head & ~(uint32_t)UNCOUNTED);
	return (head & UNCOUNTED) == 0;
}

/* Forgets what is durable. -1 if the other side counts what was not sent. */
static int
acknowledge(struct queue_link *link, uint64_t count)
{
	uint32_t target;

	if (count > link->sent_count - link->base_count ||
	    count < link->acked_count - link->base_count)
		return -1;
	target = link->base_count + (uint32_t)count;
	while (link->acked_count != target) {
		if (skip_packet(link, &link->acked))
			link->acked_count++;
	}
	if (link->acked >= TRIM_MIN && link->acked * 2 >= link->requests.len) {
		str_remove_front(&link->requests, link->acked);
		link->sent -= link->acked;
		link->acked = 0;
	}
	return 0;
}

/* ---- the connection ----------------------------------------------------- */

static void
lose(struct queue_link *link, int64_t now_ms)
{
	fd_close(link->fd);
	link->fd = -1;
	link->subscribed = false;
	link->full = false;
	link->news = (struct span){"", 0};
	/* everything from here on will be sent again */
	link->sent = link->acked;
	link->sent_count = link->acked_count;
	link->retry_ms = now_ms + link->backoff_ms;
	link->backoff_ms *= 2;
	if (link->backoff_ms > QUEUE_LINK_BACKOFF_MAX_MS)
		link->backoff_ms = QUEUE_LINK_BACKOFF_MAX_MS;
}

static int
open_socket(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd, room = 2 * FD_PACKET_MAX;

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(to.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (fd == -1)
		return -1;
	/* only ever raises what the system gives */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (fd_cloexec(fd) == -1 || fd_nonblock(fd) == -1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1) {
		fd_close(fd);
		return -1;
	}
	return fd;
}

/* True if the connection was made and has been asked for. */
static bool
start(struct queue_link *link, int64_t now_ms)
{
	struct str packet = STR_INIT;
	int result;

	link->fd = open_socket(link->path);
	if (link->fd == -1) {
		lose(link, now_ms);
		return false;
	}
	netstring_append(&packet, SPAN_LITERAL("S"));
	result = fd_send_packet(link->fd, str_span(&packet), -1);
	str_free(&packet);
	if (result == -1) {
		lose(link, now_ms);
		return false;
	}
	link->connections++;
	link->base_count = link->acked_count;
	link->deadline_ms = now_ms + QUEUE_LINK_ANSWER_MS;
	return true;
}

/* What is sent next: as many requests as fit into room, or one that does not;
   nothing may follow a barrier. Moves *end behind them and counts them. */
static struct span
gather(const struct queue_link *link, char room[QUEUE_LINK_SHARED_MAX],
    size_t *end, uint32_t *count)
{
	struct span packet = {room, 0};
	bool is_over = false;

	while (!is_over && *end < link->requests.len) {
		const char *one = link->requests.s + *end + HEAD;
		size_t next = *end, size;
		bool counts = skip_packet(link, &next);

		size = next - *end - HEAD;
		if (packet.len > 0 && packet.len + size > QUEUE_LINK_SHARED_MAX)
			break;
		if (size > QUEUE_LINK_SHARED_MAX)
			packet.s = one;
		else
			memcpy(room + packet.len, one, size);
		packet.len += size;
		*count += counts;
		*end = next;
		is_over = !counts || size > QUEUE_LINK_SHARED_MAX;
	}
	return packet;
}

void
queue_link_flush(struct queue_link *link, int64_t now_ms)
{
	link->full = false;
	while (link->subscribed && link->sent < link->requests.len) {
		char room[QUEUE_LINK_SHARED_MAX];
		size_t end = link->sent;
		uint32_t count = 0;
		struct span packet = gather(link, room, &end, &count);

		if (fd_send_packet(link->fd, packet, -1) == -1) {
			if (errno == EAGAIN || errno == EWOULDBLOCK ||
			    errno == ENOBUFS) {
				link->full = true;
				return;
			}
			/* what came before the end is still to be read: the
			   reading side will find that it is over */
			if (errno != EPIPE && errno != ECONNRESET)
				lose(link, now_ms);
			return;
		}
		link->sent = end;
		link->sent_count += count;
	}
}

/* The next message of a notice of several. */
static enum queue_link_event
take_news(struct queue_link *link, uint64_t *number)
{
	return netstring_take_u64(&link->news, number) == -1 ||
		netstring_take(&link->news, &link->list) == -1
	    ? QUEUE_LINK_LOST
	    : QUEUE_LINK_NEW;
}

/* What a packet says; QUEUE_LINK_LOST if it makes no sense here. */
static enum queue_link_event
understand(struct queue_link *link, struct span packet, uint64_t *number)
{
	struct span kind;

	if (netstring_take(&packet, &kind) == -1 || kind.len != 1)
		return QUEUE_LINK_LOST;
	link->list = packet;
	switch (kind.s[0]) {
	case 'X':
		return QUEUE_LINK_REFUSED;
	case 'O':
		return QUEUE_LINK_ORDERS;
	case 'U':
		return QUEUE_LINK_UNDO;
	case 'T':
		return link->subscribed ? QUEUE_LINK_TRY_NOW : QUEUE_LINK_LOST;
	}
	if (link->subscribed == (kind.s[0] == 'H'))
		return QUEUE_LINK_LOST;
	if (kind.s[0] == 'N') {
		link->news = packet;
		return take_news(link, number);
	}
	if (netstring_take_u64(&packet, number) == -1 || packet.len != 0)
		return QUEUE_LINK_LOST;
	switch (kind.s[0]) {
	case 'H':
		link->subscribed = true;
		link->told_lost = false;
		link->backoff_ms = QUEUE_LINK_BACKOFF_MS;
		return QUEUE_LINK_UP;
	case 'L':
		return QUEUE_LINK_RESCAN;
	case 'B':
		return QUEUE_LINK_BARRIER;
	case 'A':
		return acknowledge(link, *number) == -1 ? QUEUE_LINK_LOST
							: QUEUE_LINK_NONE;
	default:
		return QUEUE_LINK_LOST;
	}
}

static enum queue_link_event
tell_lost(struct queue_link *link)
{
	if (link->told_lost)
		return QUEUE_LINK_NONE;
	link->told_lost = true;
	return QUEUE_LINK_LOST;
}

/* What the caller is told. */
static enum queue_link_event
tell(struct queue_link *link, enum queue_link_event event, int64_t now_ms)
{
	if (event == QUEUE_LINK_LOST || event == QUEUE_LINK_REFUSED)
		lose(link, now_ms);
	return event == QUEUE_LINK_LOST ? tell_lost(link) : event;
}

enum queue_link_event
queue_link_next(struct queue_link *link, int64_t now_ms, uint64_t *number)
{
	enum queue_link_event event;
	int passed;

	if (link->fd == -1) {
		if (now_ms < link->retry_ms)
			return QUEUE_LINK_NONE;
		return start(link, now_ms) ? QUEUE_LINK_NONE : tell_lost(link);
	}
	if (link->news.len > 0)
		return tell(link, take_news(link, number), now_ms);
	do {
		ssize_t got = fd_receive_packet(
		    link->fd, link->buffer, FD_PACKET_MAX, &passed);

		fd_close(passed); /* none is expected */
		if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			if (link->subscribed || now_ms < link->deadline_ms)
				return QUEUE_LINK_NONE;
			event = QUEUE_LINK_LOST; /* no answer to S */
		} else if (got <= 0) {
			event = QUEUE_LINK_LOST;
		} else {
			event = understand(link,
			    (struct span){link->buffer, (size_t)got}, number);
		}
	} while (event == QUEUE_LINK_NONE); /* an acknowledgement */
	return tell(link, event, now_ms);
}

void
queue_link_restart(struct queue_link *link, int64_t now_ms)
{
	if (link->fd != -1)
		lose(link, now_ms);
}

short
queue_link_events(const struct queue_link *link)
{
	if (link->fd == -1)
		return 0;
	return (short)(link->full ? POLLIN | POLLOUT : POLLIN);
}

int64_t
queue_link_wakes_ms(const struct queue_link *link)
{
	if (link->fd == -1)
		return link->retry_ms;
	return link->subscribed ? 0 : link->deadline_ms;
}
