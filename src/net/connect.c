#include "net/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/fd.h"

static int
open_socket(const struct ip *ip, int type)
{
	return fd_socket(ip->version == 4 ? AF_INET : AF_INET6, type);
}

/* Waits for a connection that is under way. 0, or -1 with errno. */
static int
finish_connect(int fd, unsigned timeout_s)
{
	int error = 0, ready;
	socklen_t len = sizeof(error);

	if (timeout_s < 1)
		timeout_s = 1;
	if (timeout_s > 1000000)
		timeout_s = 1000000;
	ready = fd_wait_writable(fd, (int)timeout_s * 1000);
	if (ready == -1)
		return -1;
	if (ready == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return -1;
	if (error != 0) {
		errno = error;
		return -1;
	}
	return 0;
}

/* Connects the new socket fd. 0, or -1 with errno. */
static int
connect_socket(int fd, const struct ip *ip, unsigned port, unsigned timeout_s)
{
	struct sockaddr_storage address;
	socklen_t len = ip_to_sockaddr(ip, port, &address);
	int on = 1;

	if (connect(fd, (struct sockaddr *)&address, len) == -1) {
		/* after EINTR the kernel goes on connecting as well */
		if (errno != EINPROGRESS && errno != EINTR)
			return -1;
		if (finish_connect(fd, timeout_s) == -1)
			return -1;
	}
	/* only speed depends on it */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return 0;
}

int
connect_tcp(const struct ip *ip, unsigned port, unsigned timeout_s)
{
	int fd = open_socket(ip, SOCK_STREAM);

	if (fd != -1 && connect_socket(fd, ip, port, timeout_s) == -1) {
		fd_close(fd);
		return -1;
	}
	return fd;
}

int
connect_tcp_from(const struct ip *from, const struct ip *ip, unsigned port,
    unsigned timeout_s)
{
	struct sockaddr_storage own;
	socklen_t len = ip_to_sockaddr(from, 0, &own);
	int fd = open_socket(ip, SOCK_STREAM);

	if (fd == -1)
		return -1;
	if (bind(fd, (struct sockaddr *)&own, len) == -1 ||
	    connect_socket(fd, ip, port, timeout_s) == -1) {
		fd_close(fd);
		return -1;
	}
	return fd;
}

bool
connect_has_route(const struct ip *ip)
{
	struct sockaddr_storage address;
	socklen_t len = ip_to_sockaddr(ip, 9, &address);
	int fd = open_socket(ip, SOCK_DGRAM);
	bool has;

	if (fd == -1)
		return false;
	has = connect(fd, (struct sockaddr *)&address, len) == 0;
	fd_close(fd);
	return has;
}
