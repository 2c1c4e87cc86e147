#include "queue/control_peer.h"

#include <errno.h>

#include "base/fd.h"
#include "mail/netstring.h"

void
control_peer_drop(struct control_peer *peer)
{
	fd_close(peer->fd);
	packet_queue_clear(&peer->kept);
	*peer = (struct control_peer){.fd = -1};
}

bool
control_peer_send(struct control_peer *peer, struct span packet)
{
	if (peer->fd == -1 || peer->blocked)
		return false;
	if (fd_send_packet(peer->fd, packet, -1) == 0)
		return true;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
		peer->blocked = true;
	else
		control_peer_drop(peer);
	return false;
}

bool
control_peer_tell(
    struct control_peer *peer, const char *letter, const uint64_t *number)
{
	struct str packet = STR_INIT;
	bool sent;

	netstring_append(&packet, span_of(letter));
	if (number != NULL)
		netstring_append_u64(&packet, *number);
	sent = control_peer_send(peer, str_span(&packet));
	str_free(&packet);
	return sent;
}

void
control_peer_flush(struct control_peer *peer)
{
	if (peer->fd == -1 || peer->blocked)
		return;
	if (packet_queue_send(&peer->kept, peer->fd) == -1)
		control_peer_drop(peer);
	else
		peer->blocked = peer->kept.first != NULL;
}

void
control_peer_keep(struct control_peer *peer, const struct str *packet)
{
	if (peer->fd == -1)
		return;
	packet_queue_add(&peer->kept, str_span(packet));
	control_peer_flush(peer);
	if (peer->kept.bytes > CONTROL_PEER_KEPT_MAX)
		control_peer_drop(peer);
}

void
control_peer_done(struct control_peer *peer, struct span results, bool is_heard)
{
	struct str packet = STR_INIT;

	netstring_append(&packet, SPAN_LITERAL("K"));
	netstring_append(&packet, results);
	netstring_append(
	    &packet, is_heard ? SPAN_LITERAL("1") : SPAN_LITERAL("0"));
	control_peer_keep(peer, &packet);
	str_free(&packet);
}

void
control_peer_error(struct control_peer *peer, const char *text)
{
	struct str packet = STR_INIT;

	netstring_append(&packet, SPAN_LITERAL("E"));
	netstring_append(&packet, span_of(text));
	control_peer_keep(peer, &packet);
	str_free(&packet);
}
