/*
 * qmail-qmqpc - give one message to the queue of another machine, by QMQP
 * Runs as: whoever calls it      Trusts: the servers that control/ names
 * Reads:   fd 0 the message, fd 1 the envelope, control/
 * Writes:  the network
 * Exit:    0 queued there; 11 address too long; 31 refused; 51 memory; 52 the
 *          day is over; 54 read; 55 control files; 56 no socket; 61 home;
 *          71 deferred; 72 no connection in time; 73 no connection; 74
 *          connection broke; 81 signals or descriptor 2; 91 envelope; it
 *          says nothing
 *
 * The interface is that of qmail-queue. A netstring starts with its length, so
 * the message is collected before anything is sent. The servers are asked in
 * their order until one answers; a verdict is final, whatever it is.
 */
#include <limits.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/str.h"
#include "conf/control.h"
#include "inject/qmqp_client.h"
#include "inject/qmqp_server.h"
#include "inject/queue_interface.h"
#include "mail/netstring.h"

enum {
	/* bytes of message and addresses: with their head 200000000, which is
	   what qmail-qmqpd takes */
	REQUEST_MAX = 200000000 - 32,

	EXIT_REFUSED = 31,
	EXIT_MEMORY = 51,
	EXIT_CONTROL = 55,
	EXIT_BROKEN = 74,
};

static struct {
	struct control_table servers;
	unsigned timeout_s;
	struct str message, addresses, head;
} program = {.servers = CONTROL_TABLE_INIT,
    .message = STR_INIT,
    .addresses = STR_INIT,
    .head = STR_INIT};

/* ---- control files -------------------------------------------------------
 */

static void
load_control(void)
{
	unsigned long timeout = QMQP_TIMEOUT_S;
	struct qmqp_server server;
	size_t usable = 0;

	if (control_list("control/qmqpservers", &program.servers) != 1 ||
	    control_number("control/timeoutqmqpc", &timeout) == -1)
		_exit(EXIT_CONTROL);
	for (size_t i = 0; i < program.servers.entry_count; i++) {
		if (qmqp_server_parse(program.servers.lines[i], &server) == 0)
			usable++;
	}
	if (usable == 0)
		_exit(EXIT_CONTROL);
	if (timeout == 0)
		timeout = 1;
	program.timeout_s = timeout > UINT_MAX ? UINT_MAX : (unsigned)timeout;
}

/* ---- message and envelope ------------------------------------------------
 */

/* Limit, then store. */
static void
append(struct str *to, struct span bytes)
{
	if (bytes.len >
	    REQUEST_MAX - program.message.len - program.addresses.len)
		_exit(EXIT_REFUSED);
	if (str_try_append(to, bytes.s, bytes.len) == -1)
		_exit(EXIT_MEMORY);
}

static void
append_address(struct span address)
{
	struct str packed = STR_INIT;

	/* at most ADDRESS_MAX bytes and a head: not worth its own code */
	if (str_try_reserve(&packed, address.len + 32) == -1)
		_exit(EXIT_MEMORY);
	netstring_append(&packed, address);
	append(&program.addresses, str_span(&packed));
	str_free(&packed);
}

static void
append_piece(struct span piece)
{
	append(&program.message, piece);
}

static void
give_up(int code)
{
	(void)code; /* nobody has heard of the message yet */
}

/* ---- the servers ---------------------------------------------------------
 */

/* Both lengths, and the commas that close the two netstrings. */
static void
build_head(void)
{
	struct str inner = STR_INIT;

	str_append_u64(&inner, program.message.len);
	str_append_char(&inner, ':');
	str_append_u64(&program.head,
	    inner.len + program.message.len + 1 + program.addresses.len);
	str_append_char(&program.head, ':');
	str_append_span(&program.head, str_span(&inner));
	if (str_try_append(&program.message, ",", 1) == -1 ||
	    str_try_append(&program.addresses, ",", 1) == -1)
		_exit(EXIT_MEMORY);
	str_free(&inner);
}

static int
ask_servers(void)
{
	const struct span request[3] = {str_span(&program.head),
	    str_span(&program.message), str_span(&program.addresses)};
	enum qmqp_result result = QMQP_NO_CONNECTION;

	for (size_t i = 0; i < program.servers.entry_count; i++) {
		struct qmqp_server server;

		if (qmqp_server_parse(program.servers.lines[i], &server) == -1)
			continue;
		result = qmqp_client_send(&server, request, program.timeout_s);
		if (result != QMQP_NO_TIME && result != QMQP_NO_CONNECTION &&
		    result != QMQP_NO_SOCKET && result != QMQP_SILENT)
			break; /* it has answered */
	}
	return result == QMQP_SILENT ? EXIT_BROKEN : (int)result;
}

int
main(void)
{
	static const struct queue_reader reader = {
	    .message = append_piece,
	    .sender = append_address,
	    .recipient = append_address,
	    .give_up = give_up,
	    .short_code = QUEUE_ENVELOPE,
	};

	die_init("qmail-qmqpc");
	queue_interface_open();
	if (fd_guard_standard() == -1)
		_exit(QUEUE_BUG);
	load_control();
	queue_interface_read(&reader);
	build_head();
	return ask_servers();
}
