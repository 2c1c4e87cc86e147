/*
 * A whole conversation; the first byte chooses who the client is. The queue is
 * in memory and checks what it is given: only allowed recipients, only LF as
 * line ends, nothing queued that was let go.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accept/smtp_session.h"
#include "mail/address.h"
#include "net/submit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_report_fd(void *fd); /* of both compilers' libraries */

/* ---- a queue in memory, in the place of src/net/submit.c
 * --------------------- */

static struct {
	bool is_open, is_relay, fails;
	size_t recipients, bytes;
} queue;

static void
require(bool condition)
{
	if (!condition)
		abort();
}

int
submit_open(struct submit *submit)
{
	require(!queue.is_open);
	memset(submit, 0, sizeof(*submit));
	submit->text = (struct str)STR_INIT;
	queue.is_open = true;
	queue.recipients = queue.bytes = 0;
	return 0;
}

void
submit_write(struct submit *submit, const char *bytes, size_t len)
{
	(void)submit;
	require(queue.is_open && queue.recipients == 0);
	require(len == 0 || memchr(bytes, '\r', len) == NULL);
	queue.bytes += len;
}

void
submit_from(struct submit *submit, struct span sender)
{
	(void)submit;
	require(queue.is_open && queue.bytes > 0);
	require(sender.len <= SMTP_ADDRESS_MAX);
}

void
submit_to(struct submit *submit, struct span recipient)
{
	struct span domain = address_domain(recipient);

	(void)submit;
	require(queue.is_open && recipient.len <= ADDRESS_MAX);
	require(span_find(recipient, '\n') == SPAN_NONE);
	if (!queue.is_relay && address_at(recipient) != SPAN_NONE)
		require(span_equal_nocase(domain, SPAN_LITERAL("h")) ||
		    (domain.len > 2 &&
			span_equal_nocase(span_from(domain, domain.len - 2),
			    SPAN_LITERAL(".s"))));
	queue.recipients++;
}

int
submit_finish(struct submit *submit)
{
	require(queue.is_open && queue.recipients > 0);
	queue.is_open = false;
	submit->qp = 7;
	if (queue.fails)
		str_copy(&submit->text, SPAN_LITERAL("Zno\r\n250 yes"));
	return queue.fails ? 82 : 0;
}

void
submit_abort(struct submit *submit)
{
	(void)submit;
	require(queue.is_open);
	queue.is_open = false;
}

const char *
submit_code_text(int code)
{
	(void)code;
	return "Zqq temporary problem (#4.3.0)";
}

/* ---- the conversation
 * ---------------------------------------------------------- */

static void
converse(char *bytes, size_t size)
{
	static struct smtp_session session;
	static char replies[65536];
	struct smtp_config config = {.greeting = STR_INIT,
	    .timeout_s = 1,
	    .databytes = size > 0 && (bytes[0] & 2) != 0 ? 100 : 0,
	    .recipients_max = 5,
	    .hosts = RCPTHOSTS_INIT};
	struct peer peer = {"unknown", "192.0.2.7", NULL, "h", NULL};
	struct in in;
	struct out out;

	config.is_relay = queue.is_relay = size > 0 && (bytes[0] & 1) != 0;
	queue.fails = size > 0 && (bytes[0] & 4) != 0;
	queue.is_open = false;
	peer.relay = config.is_relay ? "" : NULL;
	str_copy(&config.greeting, SPAN_LITERAL("h"));
	smtp_policy_init(&config.policy, config.is_relay);
	smtp_plugins_init(&config.plugins);
	config.hosts.more.is_tried = true; /* and there is none */
	if (control_list_of(SPAN_LITERAL("h\n.s\n"), &config.hosts.hosts) ==
		-1 ||
	    control_list_of(
		SPAN_LITERAL("@bad\n"), &config.policy.bad_senders) == -1)
		abort();
	out_init(
	    &out, open("/dev/null", O_WRONLY), 1, replies, sizeof(replies));
	/* everything has come already, and then the client has gone */
	in_init(&in, -1, 1, bytes, size);
	in.end = size;
	in.start = size > 0;
	in.eof = true;
	smtp_session_init(&session, &in, &out, &config, &peer);
	require(smtp_session_run(&session) != SMTP_GO_ON);
	require(!queue.is_open && out.len >= 2);
	require(memcmp(replies + out.len - 2, "\r\n", 2) == 0);
	smtp_session_free(&session);
	smtp_config_free(&config);
	close(out.fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);
	int saved = dup(2), null = open("/dev/null", O_WRONLY);

	require(copy != NULL && saved != -1 && null != -1);
	if (size > 0)
		memcpy(copy, data, size);
	/* the log lines of the session would bury everything else */
	__sanitizer_set_report_fd((void *)(intptr_t)saved);
	require(dup2(null, 2) == 2);
	converse(copy, size);
	require(dup2(saved, 2) == 2);
	__sanitizer_set_report_fd((void *)(intptr_t)2);
	close(saved);
	close(null);
	free(copy);
	return 0;
}
