#include "accept/peer.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "conf/control.h"

/* name, or with over_ipv6 its twin, or NULL. */
static const char *
lookup(bool over_ipv6, const char *name, const char *twin)
{
	const char *value = getenv(name);

	return value == NULL && over_ipv6 ? getenv(twin) : value;
}

void
peer_load(struct peer *peer)
{
	const char *protocol = getenv("PROTO");
	bool six = protocol != NULL && strcmp(protocol, "TCP6") == 0;

	peer->host = lookup(six, "TCPREMOTEHOST", "TCP6REMOTEHOST");
	if (peer->host == NULL)
		peer->host = "unknown";
	peer->ip = lookup(six, "TCPREMOTEIP", "TCP6REMOTEIP");
	if (peer->ip == NULL)
		peer->ip = "unknown";
	peer->info = lookup(six, "TCPREMOTEINFO", "TCP6REMOTEINFO");
	peer->local_host = lookup(six, "TCPLOCALHOST", "TCP6LOCALHOST");
	if (peer->local_host == NULL)
		peer->local_host = lookup(six, "TCPLOCALIP", "TCP6LOCALIP");
	if (peer->local_host == NULL)
		peer->local_host = "unknown";
	peer->relay = getenv("RELAYCLIENT");
}

int
peer_load_databytes(uint64_t *bytes)
{
	const char *text = getenv("DATABYTES");
	unsigned long number = 0;

	*bytes = 0;
	if (text != NULL) {
		(void)num_leading_u64(span_of(text), bytes); /* else 0 */
		return 0;
	}
	if (control_number("control/databytes", &number) == -1)
		return -1;
	*bytes = number;
	return 0;
}

void
peer_append_received(const struct peer *peer, struct str *to,
    const struct span *helo_or_null, const char *protocol)
{
	struct received received = {.host = span_of(peer->host),
	    .ip = span_of(peer->ip),
	    .local = span_of(peer->local_host),
	    .protocol = span_of(protocol)};

	if (peer->info != NULL) {
		received.info = span_of(peer->info);
		received.has_info = true;
	}
	if (helo_or_null != NULL) {
		received.helo = *helo_or_null;
		received.has_helo = true;
	}
	received_append(to, &received, clock_now());
}
