#include "inject/queue_interface.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/sig.h"
#include "conf/control.h"
#include "mail/envelope.h"

static struct {
	char buffer[64 * 1024];
} input_state;

static void
time_out(int number)
{
	(void)number;
	_exit(QUEUE_TIMEOUT); /* the queue sees an unfinished message */
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
			_exit(QUEUE_BUG);
	}
	memset(&action, 0, sizeof(action));
	action.sa_handler = time_out;
	(void)sigemptyset(&action.sa_mask); /* cannot fail */
	(void)sigemptyset(&none);
	if (sigaction(SIGALRM, &action, NULL) == -1 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) == -1)
		_exit(QUEUE_BUG);
	(void)alarm(QUEUE_LIFE_S); /* cannot fail */
}

void
queue_interface_open(void)
{
	set_signals();
	/* a closed one would become our own socket, and be read as input */
	if (fcntl(0, F_GETFD) == -1 || fcntl(1, F_GETFD) == -1)
		_exit(QUEUE_READ);
	if (control_home() == -1)
		_exit(QUEUE_HOME);
}

NORETURN static void
fail(const struct queue_reader *reader, int code)
{
	reader->give_up(code);
	_exit(code);
}

/* Reads what there is; empty at the end. */
static struct span
read_some(const struct queue_reader *reader, int fd)
{
	ssize_t got;

	do
		got = read(fd, input_state.buffer, sizeof(input_state.buffer));
	while (got == -1 && errno == EINTR);
	if (got == -1)
		fail(reader, QUEUE_READ);
	return (struct span){input_state.buffer, (size_t)got};
}

static void
read_envelope(const struct queue_reader *reader)
{
	struct envelope_parser parser = ENVELOPE_PARSER_INIT;
	struct span input = {"", 0};

	for (;;) {
		switch (envelope_feed(&parser, &input)) {
		case ENVELOPE_MORE:
			input = read_some(reader, 1);
			if (input.len == 0)
				fail(reader, reader->short_code);
			break;
		case ENVELOPE_SENDER:
			reader->sender(str_span(&parser.address));
			break;
		case ENVELOPE_RECIPIENT:
			reader->recipient(str_span(&parser.address));
			break;
		case ENVELOPE_END:
			envelope_parser_free(&parser);
			return;
		case ENVELOPE_TOO_LONG:
			fail(reader, QUEUE_TOO_LONG);
		case ENVELOPE_BAD:
			fail(reader, QUEUE_ENVELOPE);
		}
	}
}

void
queue_interface_read(const struct queue_reader *reader)
{
	struct span piece;

	while ((piece = read_some(reader, 0)).len > 0)
		reader->message(piece);
	read_envelope(reader);
}
