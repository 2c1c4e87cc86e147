/*
 * peer - the other end of a connection, in a thread of its own, for targets
 *        that speak with a server and wait for its answers
 *
 * What it says comes from the input, a piece up to each NUL. It says a piece
 * when the target is to answer, and closes when there are no more: so nobody
 * waits for ever.
 */
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

#include "fuzz.h"

#include <pthread.h>
#include <sys/socket.h>

#include "base/str.h"

struct peer {
	int fd;             /* its own end */
	struct span script; /* what it will say */
	pthread_t thread;
};

/* Says the next piece, which becomes *piece. False if there was none. */
static inline bool
peer_say(struct peer *peer, struct span *piece)
{
	struct span left;

	if (peer->script.len == 0)
		return false;
	*piece = left = fuzz_until(&peer->script, '\0');
	while (left.len > 0) {
		ssize_t put = send(peer->fd, left.s, left.len, MSG_NOSIGNAL);

		if (put == -1)
			return true; /* nobody listens: as good as said */
		left = span_from(left, (size_t)put);
	}
	return true;
}

/* Appends what has come. False at the end. */
static inline bool
peer_hear(struct peer *peer, struct str *to)
{
	char buf[4096];
	ssize_t got = recv(peer->fd, buf, sizeof(buf), 0);

	if (got <= 0)
		return false;
	str_append(to, buf, (size_t)got);
	return true;
}

/* A file with the body of a message, at its start: one for the whole run. */
static inline FILE *
peer_body_file(const char *body)
{
	static FILE *file;

	if (file == NULL) {
		file = tmpfile();
		require(file != NULL && fputs(body, file) >= 0 &&
		    fflush(file) == 0);
	}
	require(lseek(fileno(file), 0, SEEK_SET) == 0);
	return file;
}

/* Starts the thread. Returns the target's end, which does not block. */
static inline int
peer_start(struct peer *peer, struct span script, void *(*run)(void *owner),
    void *owner)
{
	int ends[2];

	require(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	require(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
	peer->fd = ends[1];
	peer->script = script;
	require(pthread_create(&peer->thread, NULL, run, owner) == 0);
	return ends[0];
}

/* Waits for it; the target has closed its end. */
static inline void
peer_join(struct peer *peer)
{
	require(pthread_join(peer->thread, NULL) == 0);
}

#endif
