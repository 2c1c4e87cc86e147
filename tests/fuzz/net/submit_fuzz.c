/*
 * A message handed to a queue that answers what the input says (a piece up to
 * each NUL), once it has all of it. All must have arrived, in order and with
 * the right lengths, and only an answer of K and a number is a success.
 */
#include "../peer.h"

#include <errno.h>
#include <signal.h>
#include <sys/un.h>

#include "mail/address.h"
#include "mail/netstring.h"
#include "net/submit.h"

static struct queue {
	struct peer peer;
	int listener;
	struct str message, sender, recipients;
	bool is_whole;
	struct str said;
} queue;

/* What came so far. True if it ends with ".". */
static bool
read_all(struct span heard)
{
	struct span field;

	str_clear(&queue.message);
	str_clear(&queue.recipients);
	while (netstring_take(&heard, &field) == 0) {
		require(field.len > 0);
		if (field.s[0] == 'M')
			str_append_span(&queue.message, span_from(field, 1));
		else if (field.s[0] == 'F')
			str_copy(&queue.sender, span_from(field, 1));
		else if (field.s[0] == 'T')
			netstring_append(
			    &queue.recipients, span_from(field, 1));
		else
			return span_is(field, ".") && heard.len == 0;
	}
	return false;
}

static void *
serve(void *owner)
{
	struct str heard = STR_INIT;
	struct span piece;

	(void)owner;
	queue.peer.fd = accept(queue.listener, NULL, NULL);
	require(queue.peer.fd != -1);
	while (!queue.is_whole && peer_hear(&queue.peer, &heard))
		queue.is_whole = read_all(str_span(&heard));
	while (queue.is_whole && peer_say(&queue.peer, &piece))
		str_append_span(&queue.said, piece);
	require(close(queue.peer.fd) == 0);
	str_free(&heard);
	return NULL;
}

static void
listen_once(void)
{
	struct sockaddr_un at = {
	    .sun_family = AF_UNIX, .sun_path = "run/submit.sock"};

	if (queue.listener > 0)
		return;
	fuzz_enter_directory();
	fuzz_make_directory("run");
	require(setenv("QMAILHOME", ".", 1) == 0);
	require(unsetenv("QMAILQUEUE") == 0);
	require(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	queue.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	require(queue.listener != -1 &&
	    bind(queue.listener, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    listen(queue.listener, 5) == 0);
}

static void
check_arrived(struct span message, struct span sender, struct span recipients)
{
	struct span list = str_span(&queue.recipients), one;

	require(queue.is_whole);
	require(span_equal(str_span(&queue.message), message));
	require(span_equal(str_span(&queue.sender), sender));
	while (recipients.len > 0) {
		struct span want = fuzz_until(&recipients, '\n');

		require(netstring_take(&list, &one) == 0);
		require(span_equal(one, want));
	}
	require(list.len == 0);
}

static void
check_code(const struct submit *submit, int code)
{
	struct span said = str_span(&queue.said), reply;
	bool is_reply = netstring_take(&said, &reply) == 0 && reply.len > 1;

	if (code == 0) {
		require(is_reply && reply.s[0] == 'K');
		require(submit->text.len == 0);
		return;
	}
	require(code > 0 && code < 256);
	require(submit->text.len > 1 &&
	    (submit->text.s[0] == 'D' || submit->text.s[0] == 'Z'));
	/* nobody may take a deferral for a refusal that was never said */
	if (submit->text.s[0] == 'D')
		require(is_reply && reply.s[0] == 'E');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, rest, message;
	struct span sender, recipients;
	size_t step = fuzz_byte(&input) * 97u + 1;
	struct submit submit;
	int code;

	listen_once();
	message = fuzz_until(&input, '\0');
	sender = fuzz_some(&input, fuzz_byte(&input));
	sender = fuzz_until(&sender, '\0');
	recipients = fuzz_some(&input, fuzz_byte(&input));
	recipients = fuzz_until(&recipients, '\0');
	queue.message = queue.sender = queue.recipients = queue.said =
	    (struct str)STR_INIT;
	queue.is_whole = false;
	queue.peer.script = input;
	require(pthread_create(&queue.peer.thread, NULL, serve, NULL) == 0);
	require(submit_open(&submit) == 0);
	/* as the daemon gets many of them, of any size */
	for (rest = message; rest.len > 0;) {
		struct span piece = fuzz_some(&rest, step);

		submit_write(&submit, piece.s, piece.len);
	}
	submit_from(&submit, sender);
	for (rest = recipients; rest.len > 0;)
		submit_to(&submit, fuzz_until(&rest, '\n'));
	code = submit_finish(&submit);
	peer_join(&queue.peer);
	check_arrived(message, sender, recipients);
	check_code(&submit, code);
	str_free(&submit.text);
	str_free(&queue.message);
	str_free(&queue.sender);
	str_free(&queue.recipients);
	str_free(&queue.said);
	return 0;
}
