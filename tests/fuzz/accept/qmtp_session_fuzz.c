/*
 * QMTP over a byte string; the first byte chooses who the client is. Nobody
 * but the allowed recipients may reach the queue, and what it has taken has
 * verdicts.
 */
#include "framed_queue.h"

#include "accept/qmtp_session.h"
#include "mail/address.h"

static bool
is_at_h(struct span recipient)
{
	return address_at(recipient) == SPAN_NONE ||
	    span_equal_nocase(address_domain(recipient), SPAN_LITERAL("h"));
}

static bool
is_relayed(struct span recipient)
{
	return recipient.len >= 2 &&
	    memcmp(recipient.s + recipient.len - 2, ".r", 2) == 0;
}

static void
converse(char *bytes, size_t size)
{
	static struct qmtp_session session;
	static char replies[1 << 20];
	struct peer peer = {"unknown", "192.0.2.7", NULL, "h", NULL};
	char choice = size > 0 ? bytes[0] : 0;
	struct in in;
	struct out out;
	int code;

	if (size > 0)
		bytes++, size--;
	if (size > 40000) /* so that all replies fit */
		size = 40000;
	if ((choice & 1) != 0)
		peer.relay = ".r";
	queue.is_allowed = peer.relay == NULL ? is_at_h : is_relayed;
	queue.fails = (choice & 4) != 0;
	give_input(&in, bytes, size);
	out_init(&out, -1, 1, replies, sizeof(replies));
	qmtp_session_init(&session, &in, &out, &peer);
	session.mail.databytes = (choice & 2) != 0 ? 10 : 0;
	session.hosts.more.is_tried = true; /* and there is none */
	require(
	    control_list_of(SPAN_LITERAL("h\n"), &session.hosts.hosts) == 0);
	code = qmtp_session_run(&session);
	require(code == 0 || code == 100 || code == 111);
	require(out.error == 0);
	require(count_verdicts(replies, out.len) >= queue.finished);
	qmtp_session_free(&session);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run_quietly(converse, data, size);
	return 0;
}
