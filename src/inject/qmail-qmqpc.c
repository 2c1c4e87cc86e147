/*
 * qmail-qmqpc - give one message to the queue of another machine, by QMQP
 * Runs as: whoever calls it      Trusts: the servers that control/ names
 * Reads:   fd 0 the message, fd 1 the envelope, control/
 * Writes:  the network
 * Exit:    0 queued there; 11 address too long; 31 refused; 51 memory; 52 the
 *          day is over; 54 read; 55 control files; 56 no socket; 61 home;
 *          71 deferred; 72 no connection in time; 73 no connection; 74
 *          connection broke; 81 signals or descriptor 2; 91 envelope; says
 * nothing
 *
 * The interface is that of qmail-queue. A netstring starts with its length, so
 * the message is collected before anything is sent. The servers are asked in
 * their order until one answers; a verdict is final, whatever it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/sig.h"
#include "base/str.h"
#include "conf/control.h"
#include "inject/qmqp_client.h"
#include "inject/qmqp_server.h"
#include "mail/envelope.h"
#include "mail/netstring.h"

enum {
	LIFE_S = 86400, /* for the whole run */
	BUFFER = 64 * 1024,
	/* bytes of message and addresses: with their head 200000000, which is
	   what qmail-qmqpd takes */
	REQUEST_MAX = 200000000 - 32,

	EXIT_TOO_LONG = 11,
	EXIT_REFUSED = 31,
	EXIT_MEMORY = 51,
	EXIT_TIMEOUT = 52,
	EXIT_READ = 54,
	EXIT_CONTROL = 55,
	EXIT_HOME = 61,
	EXIT_BROKEN = 74,
	EXIT_BUG = 81,
	EXIT_ENVELOPE = 91,
};

static struct {
	struct control_table servers;
	unsigned timeout_s;
	struct str message, addresses, head;
	char buffer[BUFFER];
} program = {.servers = CONTROL_TABLE_INIT,
    .message = STR_INIT,
    .addresses = STR_INIT,
    .head = STR_INIT};

static void
give_up(int number)
{
	(void)number;
	_exit(EXIT_TIMEOUT);
}

static void
set_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT, SIGQUIT,
	    SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ};
	struct sigaction action;
	sigset_t none;

	for (size_t i = 0; i < COUNT(ignored); i++) {
		if (sig_ignore(ignored[i]) == -1)
			_exit(EXIT_BUG);
	}
	memset(&action, 0, sizeof(action));
	action.sa_handler = give_up;
	(void)sigemptyset(&action.sa_mask); /* cannot fail */
	(void)sigemptyset(&none);
	if (sigaction(SIGALRM, &action, NULL) == -1 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		_exit(EXIT_BUG);
	(void)alarm(LIFE_S); /* cannot fail */
}

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

/* Reads what there is; 0 at the end. */
static size_t
read_some(int fd)
{
	ssize_t got;

	do
		got = read(fd, program.buffer, sizeof(program.buffer));
	while (got == -1 && errno == EINTR);
	if (got == -1)
		_exit(EXIT_READ);
	return (size_t)got;
}

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
read_message(void)
{
	size_t got;

	while ((got = read_some(0)) > 0)
		append(&program.message, (struct span){program.buffer, got});
}

static void
read_envelope(void)
{
	struct envelope_parser parser = ENVELOPE_PARSER_INIT;
	struct span input = {program.buffer, 0};

	for (;;) {
		switch (envelope_feed(&parser, &input)) {
		case ENVELOPE_MORE:
			input = (struct span){program.buffer, read_some(1)};
			if (input.len == 0)
				_exit(EXIT_ENVELOPE); /* it was not complete */
			break;
		case ENVELOPE_SENDER:
		case ENVELOPE_RECIPIENT:
			append_address(str_span(&parser.address));
			break;
		case ENVELOPE_END:
			envelope_parser_free(&parser);
			return;
		case ENVELOPE_TOO_LONG:
			_exit(EXIT_TOO_LONG);
		case ENVELOPE_BAD:
			_exit(EXIT_ENVELOPE);
		}
	}
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
	die_init("qmail-qmqpc");
	set_signals();
	/* a closed one would become our own socket, and be read as input */
	if (fcntl(0, F_GETFD) == -1 || fcntl(1, F_GETFD) == -1)
		_exit(EXIT_READ);
	if (fd_guard_standard() == -1)
		_exit(EXIT_BUG);
	if (control_home() == -1)
		_exit(EXIT_HOME);
	load_control();
	read_message();
	read_envelope();
	build_head();
	return ask_servers();
}
