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
 * their order, from the first or, with control/qmqprotate, from any on, until
 * one answers; a verdict is final, whatever it is.
 */
#include <limits.h>
#include <stdint.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "base/str.h"
#include "conf/control.h"
#include "inject/qmqp_client.h"
#include "inject/qmqp_server.h"
#include "inject/queue_interface.h"
#include "mail/netstring.h"
#include "net/outgoing.h"

enum {
	/* bytes of message and addresses: with their head 200000000, which is
	   what qmail-qmqpd takes */
	REQUEST_MAX = 200000000 - 32,

	EXIT_REFUSED = 31,
	EXIT_MEMORY = 51,
	EXIT_CONTROL = 55,
	EXIT_BROKEN = 74,
};

static const struct sandbox rights = {
    .may = SANDBOX_NET, /* the servers */
};

static struct {
	struct qmqp_server *servers; /* the usable ones */
	size_t count, first;         /* first: whom to ask first */
	unsigned timeout_s;
	struct outgoing outgoing;
	struct str message, addresses, head;
} program = {.outgoing = OUTGOING_INIT,
    .message = STR_INIT,
    .addresses = STR_INIT,
    .head = STR_INIT};

/* ---- control files -------------------------------------------------------
 */

/* Reads a list; 0 if there is no such file. */
static int
load_list(const char *path, struct control_table *lines)
{
	int found = control_list(path, lines);

	if (found == -1)
		_exit(EXIT_CONTROL);
	return found;
}

static void
load_servers(void)
{
	struct control_table lines = CONTROL_TABLE_INIT;

	if (load_list("control/qmqpservers", &lines) == 0)
		_exit(EXIT_CONTROL);
	program.servers =
	    mem_try_alloc(lines.entry_count + 1, sizeof(*program.servers));
	if (program.servers == NULL)
		_exit(EXIT_MEMORY);
	for (size_t i = 0; i < lines.entry_count; i++) {
		if (qmqp_server_parse(
			lines.lines[i], &program.servers[program.count]) == 0)
			program.count++;
	}
	if (program.count == 0)
		_exit(EXIT_CONTROL);
	control_table_free(&lines);
}

static void
load_outgoing(void)
{
	struct control_table lines = CONTROL_TABLE_INIT;

	(void)load_list("control/outgoingip", &lines);
	for (size_t i = 0; i < lines.entry_count; i++) {
		if (outgoing_add(&program.outgoing, lines.lines[i]) == -1)
			_exit(EXIT_CONTROL);
	}
	control_table_free(&lines);
}

static void
load_control(void)
{
	unsigned long timeout = QMQP_TIMEOUT_S, rotate = 0;

	load_servers();
	load_outgoing();
	if (control_number("control/timeoutqmqpc", &timeout) == -1 ||
	    control_number("control/qmqprotate", &rotate) == -1)
		_exit(EXIT_CONTROL);
	if (timeout == 0)
		timeout = 1;
	program.timeout_s = timeout > UINT_MAX ? UINT_MAX : (unsigned)timeout;
	/* a run knows of no other: time and number spread them well enough */
	if (rotate != 0 && program.count > 1)
		program.first =
		    ((uint64_t)clock_mono_ms() * 31 + (uint64_t)getpid()) %
		    program.count;
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

	for (size_t i = 0; i < program.count; i++) {
		result = qmqp_client_send(
		    &program.servers[(program.first + i) % program.count],
		    request, &program.outgoing, program.timeout_s);
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
	sandbox_enter(&rights);
	queue_interface_read(&reader);
	build_head();
	return ask_servers();
}
