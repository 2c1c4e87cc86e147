/*
 * Two messages to a server that answers whatever the input says, a reply a
 * command. As long as it says exactly one reply each time: a message that it
 * took whole, for a recipient that it took, is a success, and nothing else is;
 * and each recipient has the fate that it was given.
 */
#include "../peer.h"

#include "mail/address.h"
#include "remote/smtp_client.h"

enum {
	MESSAGES = 2,
	RECIPIENTS = 3, /* of which the second is refused here */
};

#define BODY "a: b\n\n.dot\n..\nlast\n"
#define BODY_ON_THE_WIRE "a: b\r\n\r\n..dot\r\n...\r\nlast\r\n"

/* What a server knows of one message. */
struct record {
	unsigned rcpt_codes[RECIPIENTS];
	size_t rcpts;
	bool is_whole;       /* the final dot came */
	unsigned final_code; /* the answer to it */
	struct str body;
};

static struct server {
	struct peer peer;
	bool in_step, in_body;
	unsigned code;
	struct record records[MESSAGES];
	size_t mails;
	struct str heard;
} server;

/* Says one reply, in as many pieces as it takes. False if there is none. */
static bool
answer(void)
{
	struct smtp_reply reply = SMTP_REPLY_INIT;
	enum smtp_reply_event event = SMTP_REPLY_MORE;
	struct span piece;
	bool said = false;

	while (event == SMTP_REPLY_MORE && peer_say(&server.peer, &piece)) {
		said = true;
		event = smtp_reply_feed(&reply, &piece);
		if (piece.len > 0 || event == SMTP_REPLY_BROKEN)
			server.in_step = false;
	}
	server.code = event == SMTP_REPLY_DONE ? reply.code : 999;
	smtp_reply_free(&reply);
	return said && event != SMTP_REPLY_MORE && server.in_step;
}

/* One line. False if the conversation is over. */
static bool
obey(struct span line)
{
	struct record *record =
	    server.mails > 0 ? &server.records[server.mails - 1] : NULL;

	require(line.len >= 2 && line.s[line.len - 2] == '\r');
	if (server.in_body) {
		if (!span_is(line, ".\r\n")) {
			str_append_span(&record->body, line);
			return true;
		}
		server.in_body = false;
		record->is_whole = true;
		if (!answer())
			return false;
		record->final_code = server.code;
		return true;
	}
	require(fuzz_is_printable(span_until(line, line.len - 2)));
	if (!answer())
		return false;
	if (span_starts_nocase(line, "MAIL FROM:<")) {
		require(server.mails < MESSAGES);
		server.mails++;
	} else if (span_starts_nocase(line, "RCPT TO:<")) {
		require(record != NULL && record->rcpts < RECIPIENTS - 1);
		record->rcpt_codes[record->rcpts++] = server.code;
	} else if (span_starts_nocase(line, "DATA")) {
		require(record != NULL);
		server.in_body = server.code < 400;
	}
	return true;
}

static void *
serve(void *owner)
{
	bool is_open = answer();
	struct span rest;

	(void)owner;
	while (is_open) {
		struct span heard = str_span(&server.heard);
		size_t end = span_find(heard, '\n');

		if (end != SPAN_NONE) {
			is_open = obey(span_until(heard, end + 1));
			str_remove_front(&server.heard, end + 1);
		} else {
			is_open = peer_hear(&server.peer, &server.heard);
		}
	}
	/* who is out of step might wait for the other for ever: it says all */
	while (!server.in_step && peer_say(&server.peer, &rest))
		;
	require(close(server.peer.fd) == 0);
	return NULL;
}

static void
check(const struct verdict *verdict, const struct record *record)
{
	size_t taken = 0;

	for (size_t i = 0; i < record->rcpts; i++) {
		char letter = verdict->recipients[i * 2].letter;
		unsigned code = record->rcpt_codes[i];

		taken += code < 400;
		if (letter != '\0')
			require(letter ==
			    (code < 400          ? 'r'
				    : code < 500 ? 's'
						 : 'h'));
	}
	require((verdict->letter == 'K') ==
	    (record->is_whole && record->final_code > 0 &&
		record->final_code < 400 && taken > 0));
	if (verdict->letter == 'K')
		require(span_is(str_span(&record->body), BODY_ON_THE_WIRE));
}

static void
check_texts(const struct verdict *verdict)
{
	require(verdict->letter == 'K' || verdict->letter == 'Z' ||
	    verdict->letter == 'D');
	require(span_find(str_span(&verdict->text), '\0') == SPAN_NONE);
	require(verdict->text.len < SMTP_REPLY_TEXT_MAX + 200);
	require(verdict->recipients[1].letter == 'h');
	for (size_t i = 0; i < RECIPIENTS; i++)
		require(span_find(str_span(&verdict->recipients[i].text),
			    '\0') == SPAN_NONE);
}

static void
converse(struct span script, struct verdict *verdicts, int file)
{
	static struct smtp_client client; /* its buffers are large */
	struct ip ip = {.version = 4, .bytes = {192, 0, 2, 1}};
	struct message message;
	int fd = peer_start(&server.peer, script, serve, NULL);
	bool is_open;

	smtp_client_init(&client, 60);
	is_open = smtp_client_open(
		      &client, fd, &ip, SPAN_LITERAL("me"), &verdicts[0]) == 0;
	if (!is_open)
		require(verdicts[0].letter == 'Z');
	for (size_t i = 0; i < MESSAGES && is_open; i++) {
		message_init(&message, file);
		(void)!smtp_client_send(
		    &client, SPAN_LITERAL("s@t"), &message, &verdicts[i]);
		message_free(&message);
		check_texts(&verdicts[i]);
		is_open = client.is_open;
	}
	if (is_open)
		smtp_client_quit(&client);
	smtp_client_free(&client);
	peer_join(&server.peer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const addresses[RECIPIENTS] = {
	    "a@b", "refused", "c d@e"};
	FILE *file = peer_body_file(BODY);
	struct verdict verdicts[MESSAGES];

	server = (struct server){.in_step = true, .heard = STR_INIT};
	for (size_t i = 0; i < MESSAGES; i++) {
		server.records[i].body = (struct str)STR_INIT;
		verdict_init(&verdicts[i], RECIPIENTS);
		for (size_t j = 0; j < RECIPIENTS; j++)
			verdicts[i].recipients[j].address =
			    span_of(addresses[j]);
		verdict_refuse_here(&verdicts[i].recipients[1], "no");
	}
	converse(
	    (struct span){(const char *)data, size}, verdicts, fileno(file));
	for (size_t i = 0; i < MESSAGES; i++) {
		if (server.in_step && i < server.mails)
			check(&verdicts[i], &server.records[i]);
		if (server.in_step && i >= server.mails)
			require(verdicts[i].letter != 'K');
		str_free(&server.records[i].body);
		verdict_free(&verdicts[i]);
	}
	str_free(&server.heard);
	return 0;
}
