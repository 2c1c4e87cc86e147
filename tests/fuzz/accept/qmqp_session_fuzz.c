/*
 * QMQP over a byte string; the first byte chooses what the queue says. Exit
 * code 0 and a verdict belong together unless the connection was lost; without
 * a verdict nothing is queued.
 */
#include "framed_queue.h"

#include "accept/qmqp_session.h"

static bool
is_any(struct span recipient)
{
	(void)recipient;
	return true;
}

static void
converse(char *bytes, size_t size)
{
	static struct framed_mail mail;
	struct peer peer = {"unknown", "192.0.2.7", "i", "h", ""};
	char replies[1024];
	size_t verdicts;
	struct in in;
	struct out out;
	int code;

	queue.is_allowed = is_any;
	queue.fails = size > 0 && (bytes[0] & 1) != 0;
	if (size > 0)
		bytes++, size--;
	give_input(&in, bytes, size);
	out_init(&out, -1, 1, replies, sizeof(replies));
	framed_mail_init(&mail, &in, &out, &peer, "QMQP");
	code = qmqp_session_run(&mail);
	verdicts = count_verdicts(replies, out.len);
	require(code == 0 || code == 100 || code == 111);
	require(out.error == 0 && verdicts <= 1 && queue.finished <= verdicts);
	require(code == 0 || verdicts == 0);
	framed_mail_free(&mail);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run_quietly(converse, data, size);
	return 0;
}
