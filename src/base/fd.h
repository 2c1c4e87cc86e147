/*
 * fd - descriptors: flags, moves, waiting, passing them between processes
 *
 * Every descriptor that this module makes is close-on-exec. Calls return 0,
 * or -1 with errno, unless said otherwise; EINTR is retried.
 */
#ifndef BASE_FD_H
#define BASE_FD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"

/* As open, relative to the current directory; mode matters with O_CREAT. */
MUST_USE int fd_open(const char *path, int flags, mode_t mode);
MUST_USE int fd_socket(int domain, int type); /* non-blocking */
MUST_USE int fd_accept(int listener);
MUST_USE int fd_cloexec(int fd);
MUST_USE int fd_nonblock(int fd);
/*
 * Where the system can, the next read of this file is of the disk, not of what
 * memory holds of it: after a failed fsync the two may differ. What was written
 * and waits for an fsync stays.
 */
void fd_forget_cache(int fd);
MUST_USE int fd_pipe(int ends[2]); /* both close-on-exec */
/* A connected AF_UNIX SOCK_SEQPACKET pair, close-on-exec, that can carry
   packets of FD_PACKET_MAX bytes. */
MUST_USE int fd_packet_pair(int ends[2]);
/* Makes to a copy of from that survives exec, closing from unless equal. */
MUST_USE int fd_move(int from, int to);
/* Ensures that 0, 1 and 2 are open (on /dev/null), against accidents. */
MUST_USE int fd_guard_standard(void);
void fd_close(int fd); /* ignores -1 and errors; keeps errno */

/* Waits until fd is readable / writable. 1 yes, 0 after timeout_ms, -1. */
MUST_USE int fd_wait_readable(int fd, int timeout_ms);
MUST_USE int fd_wait_writable(int fd, int timeout_ms);

/* One read, waiting at most timeout_s (0: for ever; then ETIMEDOUT). */
MUST_USE ssize_t fd_read_timeout(
    int fd, char *buf, size_t len, unsigned timeout_s);
/* Lets the system itself end a wait for bytes from fd, for whoever reads it
   by fd_read_timed: one call for a read, not three. False if it is no socket.
 */
bool fd_time_reads(int fd, unsigned timeout_s);
/* As fd_read_timeout, after fd_time_reads with the same time said yes. */
MUST_USE ssize_t fd_read_timed(
    int fd, char *buf, size_t len, unsigned timeout_s);
/* Writes all of it; each wait at most timeout_s (0: for ever). */
MUST_USE int fd_write_timeout(
    int fd, const char *buf, size_t len, unsigned timeout_s);
/* Writes all to a file or blocking pipe. */
MUST_USE int fd_write_all(int fd, const char *buf, size_t len);

enum {
	FD_PACKET_MAX = 128 * 1024, /* bytes in one packet */
};

/*
 * Sends one packet, with a descriptor if pass is not -1 (it stays open here).
 * Does not wait on a non-blocking socket: -1 with EAGAIN.
 */
MUST_USE int fd_send_packet(int sock, struct span packet, int pass);
/*
 * Receives one packet into buf. Returns its length, 0 when the peer is gone,
 * or -1 (EMSGSIZE if it was cut, or brought several descriptors). *passed
 * becomes the descriptor that came with it, close-on-exec and the caller's to
 * close, or -1: none came, or there was no room for it in our table.
 */
MUST_USE ssize_t fd_receive_packet(
    int sock, char *buf, size_t size, int *passed);

#endif
