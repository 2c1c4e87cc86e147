/*
 * Two messages to a QMTP server that answers what the input says. The request
 * must be whole and right; each recipient has the fate that its answer gave,
 * and without an answer for each of them nothing is a success.
 */
#include "../peer.h"

#include "mail/netstring.h"
#include "remote/qmtp_client.h"

enum {
	MESSAGES = 2,
	RECIPIENTS = 3, /* of which the second is refused here */
	SENT = 2,
};

#define BODY "a: b\n\n.dot\nlast"

static struct server {
	struct peer peer;
	struct str heard;
	char letters[MESSAGES][SENT]; /* 0: no answer */
	size_t messages;
} server;

/* Takes a whole request off what was heard. */
static bool
take_request(void)
{
	struct span heard = str_span(&server.heard), rest = heard;
	struct span message, sender, list, one;

	if (netstring_take(&rest, &message) == -1 ||
	    netstring_take(&rest, &sender) == -1 ||
	    netstring_take(&rest, &list) == -1)
		return false;
	require(span_is(message, "\n" BODY) && span_is(sender, "s@t"));
	require(netstring_take(&list, &one) == 0 && span_is(one, "a@b"));
	require(netstring_take(&list, &one) == 0 && span_is(one, "c d@e"));
	require(list.len == 0);
	str_remove_front(&server.heard, heard.len - rest.len);
	return true;
}

/* Says pieces until both answers are there. False if they never are. */
static bool
answer(char *letters)
{
	struct qmtp_answer answer = QMTP_ANSWER_INIT;
	struct span piece = {"", 0};
	size_t done = 0;

	while (done < SENT) {
		enum qmtp_answer_event event =
		    qmtp_answer_feed(&answer, &piece);

		if (event == QMTP_ANSWER_DONE) {
			letters[done++] = answer.letter;
			qmtp_answer_reset(&answer);
		} else if (event == QMTP_ANSWER_BROKEN ||
		    !peer_say(&server.peer, &piece)) {
			break;
		}
	}
	qmtp_answer_free(&answer);
	return done == SENT;
}

static void *
serve(void *owner)
{
	bool is_open = true;

	(void)owner;
	while (is_open) {
		if (take_request()) {
			require(server.messages < MESSAGES);
			is_open = answer(server.letters[server.messages++]);
		} else {
			is_open = peer_hear(&server.peer, &server.heard);
		}
	}
	require(close(server.peer.fd) == 0);
	return NULL;
}

static void
check(const struct verdict *verdict, const char *letters)
{
	bool is_all = true, is_taken = false;

	for (size_t i = 0; i < SENT; i++) {
		char letter = verdict->recipients[i * 2].letter;

		is_taken = is_taken || letters[i] == 'K';
		is_all = is_all && letters[i] != '\0';
		if (letter != '\0')
			require(letters[i] ==
			    (letter == 'r'          ? 'K'
				    : letter == 's' ? 'Z'
						    : 'D'));
	}
	require((verdict->letter == 'K') == (is_all && is_taken));
	require(span_find(str_span(&verdict->text), '\0') == SPAN_NONE);
	require(verdict->text.len < QMTP_ANSWER_TEXT_MAX + 200);
	require(verdict->recipients[1].letter == 'h');
}

static void
converse(struct span script, struct verdict *verdicts, int file)
{
	static struct qmtp_client client; /* its buffers are large */
	struct ip ip = {.version = 4, .bytes = {192, 0, 2, 1}};
	struct message message;
	uint64_t size_bytes;
	int fd = peer_start(&server.peer, script, serve, NULL);

	qmtp_client_init(&client, 60);
	qmtp_client_open(&client, fd, &ip);
	message_init(&message, file);
	for (size_t i = 0; i < MESSAGES && client.is_open; i++) {
		require(
		    message_size(&message, QMTP_MESSAGE_MAX, &size_bytes) == 0);
		require(size_bytes == sizeof(BODY) - 1);
		(void)!qmtp_client_send(&client, SPAN_LITERAL("s@t"), &message,
		    size_bytes, &verdicts[i]);
	}
	message_free(&message);
	qmtp_client_free(&client);
	peer_join(&server.peer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const addresses[RECIPIENTS] = {
	    "a@b", "refused", "c d@e"};
	FILE *file = peer_body_file(BODY);
	struct verdict verdicts[MESSAGES];

	server = (struct server){.heard = STR_INIT};
	for (size_t i = 0; i < MESSAGES; i++) {
		verdict_init(&verdicts[i], RECIPIENTS);
		for (size_t j = 0; j < RECIPIENTS; j++)
			verdicts[i].recipients[j].address =
			    span_of(addresses[j]);
		verdict_refuse_here(&verdicts[i].recipients[1], "no");
	}
	converse(
	    (struct span){(const char *)data, size}, verdicts, fileno(file));
	for (size_t i = 0; i < MESSAGES; i++) {
		check(&verdicts[i], server.letters[i]);
		verdict_free(&verdicts[i]);
	}
	str_free(&server.heard);
	return 0;
}
