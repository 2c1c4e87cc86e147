#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"

#ifndef PIPE_BUF /* POSIX lets it be absent where it varies */
#define PIPE_BUF _POSIX_PIPE_BUF
#endif

/* Systems that lack it need a second call. */
#ifndef MSG_CMSG_CLOEXEC
#define MSG_CMSG_CLOEXEC 0
#endif

int
fd_open(const char *path, int flags, mode_t mode)
{
	/* not open: a small libc follows that with a call of its own to make
	   sure of O_CLOEXEC on kernels of long ago */
	return openat(AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

int
fd_cloexec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC); /* there is no other flag */
}

int
fd_socket(int domain, int type)
{
#if defined(SOCK_CLOEXEC) && defined(SOCK_NONBLOCK)
	return socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
	int fd = socket(domain, type, 0);

	if (fd != -1 && (fd_cloexec(fd) == -1 || fd_nonblock(fd) == -1)) {
		fd_close(fd);
		return -1;
	}
	return fd;
#endif
}

void
fd_forget_cache(int fd)
{
#ifdef POSIX_FADV_DONTNEED
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); /* an advice */
#else
	(void)fd;
#endif
}

int
fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void
fd_close(int fd)
{
	int error = errno;

	if (fd != -1)
		(void)close(fd); /* nothing was written that matters */
	errno = error;
}

/* Marks both ends, or closes both. */
static int
finish_pair(int ends[2])
{
	if (fd_cloexec(ends[0]) == 0 && fd_cloexec(ends[1]) == 0)
		return 0;
	fd_close(ends[0]);
	fd_close(ends[1]);
	return -1;
}

int
fd_pipe(int ends[2])
{
	return pipe(ends) == -1 ? -1 : finish_pair(ends);
}

int
fd_packet_pair(int ends[2])
{
	int room = 2 * FD_PACKET_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == -1)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		/* only ever raises what the system gives; a failure shows when
		   a packet that large is sent */
		(void)setsockopt(
		    ends[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	}
	return finish_pair(ends);
}

int
fd_move(int from, int to)
{
	if (from == to)
		return fcntl(from, F_SETFD, 0);
	while (dup2(from, to) == -1) {
		if (errno != EINTR)
			return -1;
	}
	fd_close(from);
	return 0;
}

int
fd_guard_standard(void)
{
	struct pollfd items[] = {{.fd = 0}, {.fd = 1}, {.fd = 2}};
	int fd;

	if (poll(items, COUNT(items), 0) == 0)
		return 0;
	do { /* POLLNVAL, or what is open has ended, or it could not tell */
		fd = open("/dev/null", O_RDWR);
		if (fd == -1)
			return -1;
	} while (fd <= 2);
	fd_close(fd);
	return 0;
}

static int
wait_for(int fd, short events, int timeout_ms)
{
	struct pollfd item = {.fd = fd, .events = events};
	int64_t end = clock_mono_ms() + timeout_ms;

	for (;;) {
		int ready = poll(&item, 1, timeout_ms);

		if (ready >= 0)
			return ready;
		if (errno != EINTR)
			return -1;
		if (timeout_ms >= 0) {
			int64_t left = end - clock_mono_ms();

			timeout_ms = left > 0 ? (int)left : 0;
		}
	}
}

int
fd_wait_readable(int fd, int timeout_ms)
{
	return wait_for(fd, POLLIN, timeout_ms);
}

int
fd_wait_writable(int fd, int timeout_ms)
{
	return wait_for(fd, POLLOUT, timeout_ms);
}

/* Seconds as poll wants them; over 24 days is as good as 24 days. */
static int
to_ms(unsigned timeout_s)
{
	if (timeout_s == 0)
		return -1;
	return timeout_s > 2000000 ? 2000000000 : (int)timeout_s * 1000;
}

ssize_t
fd_read_timeout(int fd, char *buf, size_t len, unsigned timeout_s)
{
	ssize_t got;
	int ready;

	/* a socket is asked without waiting first: mostly it has bytes, and
	   its shared flags stay as they are */
	do
		got = recv(fd, buf, len, MSG_DONTWAIT);
	while (got == -1 && errno == EINTR);
	if (got >= 0 ||
	    (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOTSOCK))
		return got;
	for (;;) {
		if (timeout_s != 0 || errno != ENOTSOCK) {
			ready = fd_wait_readable(fd, to_ms(timeout_s));
			if (ready == -1)
				return -1;
			if (ready == 0) {
				errno = ETIMEDOUT;
				return -1;
			}
		}
		got = read(fd, buf, len);
		if (got >= 0)
			return got;
		if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
			return -1;
	}
}

bool
fd_time_reads(int fd, unsigned timeout_s)
{
	struct timeval wait = {.tv_sec = (time_t)timeout_s};

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ==
	    0;
}

ssize_t
fd_read_timed(int fd, char *buf, size_t len, unsigned timeout_s)
{
	int64_t end = clock_mono_ms() + (int64_t)timeout_s * 1000, left;
	ssize_t got = recv(fd, buf, len, 0);

	if (got >= 0 ||
	    (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		return got;
	/* the time is over; or a signal came, or the socket does not block */
	left = timeout_s == 0 ? 1000 : end - clock_mono_ms();
	if (left > 0)
		return fd_read_timeout(fd, buf, len,
		    timeout_s == 0 ? 0 : (unsigned)(left + 999) / 1000);
	errno = ETIMEDOUT;
	return -1;
}

/* One write that does not wait; without a timeout only a socket's does not. */
static ssize_t
write_once(int fd, const char *buf, size_t len, unsigned timeout_s)
{
	ssize_t put = send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put != -1 || errno != ENOTSOCK)
		return put;
	if (timeout_s != 0) {
		/* a pipe that is ready takes PIPE_BUF bytes at once; more
		   could block beyond any deadline */
		int ready = fd_wait_writable(fd, 0);

		if (ready == -1)
			return -1;
		if (ready == 0) {
			errno = EAGAIN;
			return -1;
		}
		if (len > PIPE_BUF)
			len = PIPE_BUF;
	}
	return write(fd, buf, len);
}

int
fd_write_timeout(int fd, const char *buf, size_t len, unsigned timeout_s)
{
	while (len > 0) {
		ssize_t put = write_once(fd, buf, len, timeout_s);
		int ready;

		if (put > 0) {
			buf += put;
			len -= (size_t)put;
			continue;
		}
		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1 && errno != EAGAIN && errno != EWOULDBLOCK)
			return -1;
		ready = fd_wait_writable(fd, to_ms(timeout_s));
		if (ready == -1)
			return -1;
		if (ready == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	return 0;
}

int
fd_write_all(int fd, const char *buf, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, buf, len);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return -1;
		buf += put;
		len -= (size_t)put;
	}
	return 0;
}

union control {
	struct cmsghdr head; /* for alignment */
	char room[CMSG_SPACE(sizeof(int))];
};

int
fd_send_packet(int sock, struct span packet, int pass)
{
	struct iovec part = {(void *)(uintptr_t)packet.s, packet.len};
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
	union control control;
	ssize_t put;

	if (pass != -1) {
		struct cmsghdr *head;

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &pass, sizeof(int));
	}
	do
		put = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (put == -1 && errno == EINTR);
	return put == -1 ? -1 : 0;
}

/*
 * Takes over the descriptors that came with msg: exactly one becomes *passed.
 * The control buffer is rounded up and may hold more than were asked for; a
 * peer must not fill our table with them, so that several are all closed.
 * Returns 0, or -1 with EMSGSIZE.
 */
static int
take_descriptors(struct msghdr *msg, int *passed)
{
	struct cmsghdr *head = CMSG_FIRSTHDR(msg);
	size_t count = 0;

	*passed = -1;
	if (head == NULL || head->cmsg_level != SOL_SOCKET ||
	    head->cmsg_type != SCM_RIGHTS)
		return 0;
	while (CMSG_LEN((count + 1) * sizeof(int)) <= head->cmsg_len) {
		fd_close(*passed);
		memcpy(
		    passed, CMSG_DATA(head) + count * sizeof(int), sizeof(int));
		count++;
	}
	if (count <= 1)
		return 0;
	fd_close(*passed);
	*passed = -1;
	errno = EMSGSIZE;
	return -1;
}

ssize_t
fd_receive_packet(int sock, char *buf, size_t size, int *passed)
{
	struct iovec part = {buf, size};
	union control control;
	struct msghdr msg = {.msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.room,
	    .msg_controllen = sizeof(control.room)};
	ssize_t got;

	*passed = -1;
	do
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		return -1;
	if (take_descriptors(&msg, passed) == -1)
		return -1;
	if (MSG_CMSG_CLOEXEC == 0 && *passed != -1 && fd_cloexec(*passed) == -1)
		goto fail;
	/* If the one that came is missing, we or the system are out of
	   descriptors: the bytes are there, and must not be lost with it. */
	if (msg.msg_flags & MSG_TRUNC ||
	    (msg.msg_flags & MSG_CTRUNC && *passed != -1)) {
		errno = EMSGSIZE;
		goto fail;
	}
	return got;
fail:
	fd_close(*passed);
	*passed = -1;
	return -1;
}
