/*
 * linger - lets the client take our last reply before the connection is closed
 */
#ifndef ACCEPT_LINGER_H
#define ACCEPT_LINGER_H

#include <stddef.h>

enum {
	LINGER_MS = 5000, /* for the client to take it */
};

/*
 * A socket that is closed with unread bytes in it is reset, and the reset may
 * overtake the reply. So what the client still sends is read from descriptor
 * 0, into buf, for a while or until it closes; 1 is shut down. Both may be
 * something else than a socket; then there is nothing to wait for.
 */
void linger(char *buf, size_t size);

#endif
