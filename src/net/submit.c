#include "net/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "config.h"
#include "mail/address.h"
#include "mail/netstring.h"
#include "net/submit_program.h"

enum {
	FAILURES_CHUNK = 32 * 1024,
	CHUNK_HEAD = 7,        /* "16385:M", the longest head of a chunk */
	REPLY_MAX = 64,        /* bytes of the daemon's one netstring */
	SPARE_MAX = 32 * 1024, /* bytes kept from message to message */
	PAUSE_MS = 20,         /* between attempts to connect; then doubled */
	PAUSE_MAX_MS = 500,
};

/* What one message waited in, for the next one: a piece of this size is mapped
   and unmapped each time else. */
static struct str spare = STR_INIT;

static const char *
home_path(void)
{
	const char *home = getenv("QMAILHOME");

	return home != NULL && home[0] != '\0' ? home : CONFIG_HOME;
}

/* ---- the socket --------------------------------------------------------- */

/* Too many are in line: the next connect waits for a place, not for ever. */
static int
wait_in_line(int fd)
{
	struct timeval wait = {.tv_sec = SUBMIT_RETRY_S};
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == -1)
		return -1;
	return fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

static int
connect_path(int fd, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(to.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return 0;
	if (errno != EAGAIN || wait_in_line(fd) == -1)
		return -1;
	return connect(fd, (struct sockaddr *)&to, sizeof(to));
}

/* A home with a name too long for a socket address: go there, and back. */
static int
connect_from_home(int fd)
{
	int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = -1;

	if (back == -1)
		return -1;
	if (chdir(home_path()) == 0) {
		result = connect_path(fd, "run/submit.sock");
		if (fchdir(back) == -1)
			result = -1; /* the caller's world would be another */
	}
	fd_close(back);
	return result;
}

static int
connect_once(void)
{
	struct str path = STR_INIT;
	int fd = fd_socket(AF_UNIX, SOCK_STREAM);
	int result;

	if (fd == -1)
		return -1;
	str_format(&path, "%s/run/submit.sock", home_path());
	result = connect_path(fd, path.s);
	if (result == -1 && errno == ENAMETOOLONG)
		result = connect_from_home(fd);
	str_free(&path);
	if (result == 0)
		return fd;
	fd_close(fd);
	return -1;
}

static void
pause_for(long pause_ms)
{
	struct timespec pause = {0, pause_ms * 1000000L};

	(void)nanosleep(&pause, NULL); /* a shorter pause does no harm */
}

/* Connects until end_ms. The code of a failure is kept. */
static int
connect_daemon(struct submit *submit, int64_t end_ms)
{
	long pause_ms = PAUSE_MS;

	for (;;) {
		submit->fd = connect_once();
		if (submit->fd != -1)
			return 0;
		if (errno != ENOENT && errno != ECONNREFUSED &&
		    errno != EAGAIN && errno != EINTR)
			break;
		if (clock_mono_ms() >= end_ms)
			break;
		pause_for(pause_ms);
		pause_ms *= 2;
		if (pause_ms > PAUSE_MAX_MS)
			pause_ms = PAUSE_MAX_MS;
	}
	submit->code = 66;
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
		submit->code = 51;
	return -1;
}

/*
 * Gives everything pending to the daemon. What ends with the last byte of the
 * message is queued only if all of it arrived, so a send that failed may be
 * repeated on a new connection as long as no earlier part is lost with it.
 */
static void
send_pending(struct submit *submit)
{
	int64_t end_ms = clock_mono_ms() + SUBMIT_RETRY_S * 1000;

	while (submit->code == 0) {
		if (submit->fd == -1 && connect_daemon(submit, end_ms) == -1)
			return;
		if (fd_write_timeout(submit->fd, submit->pending.s,
			submit->pending.len, SUBMIT_REPLY_S) == 0) {
			submit->sent = true;
			str_clear(&submit->pending);
			return;
		}
		if (errno == ETIMEDOUT) {
			submit->code = 52;
		} else if (submit->sent || clock_mono_ms() >= end_ms) {
			submit->code = 53;
		} else {
			fd_close(submit->fd);
			submit->fd = -1;
			pause_for(PAUSE_MS);
		}
	}
}

/* Completes the head of the open chunk, which was left CHUNK_HEAD bytes. */
static void
close_chunk(struct submit *submit)
{
	char head[CHUNK_HEAD + 1];
	size_t start = submit->chunk, payload, unused;
	size_t i = CHUNK_HEAD, number;

	if (start == SPAN_NONE)
		return;
	submit->chunk = SPAN_NONE;
	payload = submit->pending.len - start - CHUNK_HEAD;
	head[--i] = 'M';
	head[--i] = ':';
	for (number = payload + 1; number > 0; number /= 10)
		head[--i] = (char)('0' + number % 10);
	unused = i;
	memcpy(submit->pending.s + start, head + unused, CHUNK_HEAD - unused);
	if (unused > 0) { /* only a last, short chunk is moved */
		char *to = submit->pending.s + start + CHUNK_HEAD - unused;

		memmove(to, submit->pending.s + start + CHUNK_HEAD, payload);
		str_truncate(&submit->pending, submit->pending.len - unused);
	}
	str_append_char(&submit->pending, ',');
}

static void
write_chunks(struct submit *submit, const char *bytes, size_t len)
{
	while (len > 0 && submit->code == 0) {
		size_t have, part = len;

		if (submit->chunk == SPAN_NONE) {
			if (submit->pending.len > SUBMIT_DELAY)
				send_pending(submit);
			submit->chunk = submit->pending.len;
			str_append(&submit->pending, "       ", CHUNK_HEAD);
		}
		have = submit->pending.len - submit->chunk - CHUNK_HEAD;
		if (part > SUBMIT_CHUNK - have)
			part = SUBMIT_CHUNK - have;
		str_append(&submit->pending, bytes, part);
		bytes += part;
		len -= part;
		if (have + part == SUBMIT_CHUNK)
			close_chunk(submit);
	}
}

/* The daemon's verdict: K and the id, or E and a code. */
static int
parse_reply(struct submit *submit, struct span reply)
{
	uint64_t number;

	if (reply.len < 2 || num_parse_u64(span_from(reply, 1), &number) == -1)
		return 81;
	if (reply.s[0] == 'K') {
		submit->qp = number;
		return 0;
	}
	return reply.s[0] == 'E' && number > 0 && number < 256 ? (int)number
							       : 81;
}

static int
read_reply(struct submit *submit)
{
	char buf[REPLY_MAX];
	size_t len = 0;

	for (;;) {
		struct span reply;
		ssize_t used, got;

		/* it has to sync first: there is no answer yet */
		if (fd_wait_readable(submit->fd, SUBMIT_REPLY_S * 1000) == 0)
			return 52;
		got = fd_read_timeout(
		    submit->fd, buf + len, sizeof(buf) - len, SUBMIT_REPLY_S);
		if (got == -1 && errno == ETIMEDOUT)
			return 52;
		if (got <= 0) /* it may be queued or not: later is safe */
			return 53;
		len += (size_t)got;
		used = netstring_decode(buf, len, sizeof(buf), &reply);
		if (used > 0)
			return parse_reply(submit, reply);
		if (used < 0 || len == sizeof(buf))
			return 81;
	}
}

/* ---- either way --------------------------------------------------------- */

void
submit_open_daemon(struct submit *submit)
{
	*submit = (struct submit){.fd = -1,
	    .envelope = -1,
	    .error_text = -1,
	    .text = STR_INIT,
	    .pending = spare,
	    .chunk = SPAN_NONE,
	    .addresses = STR_INIT};
	spare = (struct str)STR_INIT;
}

bool
submit_runs_program(void)
{
	return getenv("QMAILQUEUE") != NULL;
}

int
submit_open(struct submit *submit)
{
	const char *program = getenv("QMAILQUEUE");

	submit_open_daemon(submit);
	if (program != NULL)
		submit_program_start(submit, program, home_path());
	return submit->code == 0 ? 0 : -1;
}

void
submit_label(struct submit *submit, pid_t pid)
{
	struct str field = STR_INIT;

	if (submit->child != 0)
		return;
	str_format(&field, "P%ld", (long)pid);
	netstring_append(&submit->pending, str_span(&field));
	str_free(&field);
}

void
submit_origin(
    struct submit *submit, uint64_t uid, uint64_t birth_s, struct span origin)
{
	struct str field = STR_INIT;

	str_append_char(&field, 'O');
	str_append_u64(&field, uid);
	str_append_char(&field, ' ');
	str_append_u64(&field, birth_s);
	str_append_char(&field, ' ');
	str_append_span(&field, origin);
	netstring_append(&submit->pending, str_span(&field));
	str_free(&field);
}

void
submit_write(struct submit *submit, const char *bytes, size_t len)
{
	if (submit->code != 0)
		return;
	if (submit->child != 0)
		submit_program_write(submit, bytes, len);
	else
		write_chunks(submit, bytes, len);
}

static void
add_address(struct submit *submit, char letter, struct span address)
{
	struct str *to;

	if (submit->code != 0)
		return;
	if (address.len > ADDRESS_MAX) {
		submit->code = 11;
		return;
	}
	/* NUL ends an address in every envelope: it can be in none */
	if (span_find(address, '\0') != SPAN_NONE) {
		submit->code = 91;
		return;
	}
	to = submit->child != 0 ? &submit->addresses : &submit->pending;
	if (submit->child == 0) {
		close_chunk(submit);
		if (to->len > SUBMIT_DELAY)
			send_pending(submit);
		str_append_u64(to, address.len + 1);
		str_append_char(to, ':');
	}
	str_append_char(to, letter);
	str_append_span(to, address);
	str_append_char(to, submit->child != 0 ? '\0' : ',');
}

void
submit_from(struct submit *submit, struct span sender)
{
	submit->in_envelope = true;
	add_address(submit, 'F', sender);
}

void
submit_to(struct submit *submit, struct span recipient)
{
	add_address(submit, 'T', recipient);
}

void
submit_to_as(struct submit *submit, char letter, struct span recipient)
{
	add_address(submit, letter, recipient);
}

void
submit_failures(struct submit *submit, struct span text)
{
	while (text.len > 0 && submit->code == 0) {
		struct str field = STR_INIT;
		size_t part =
		    text.len < FAILURES_CHUNK ? text.len : FAILURES_CHUNK;

		str_append_char(&field, 'B');
		str_append_span(&field, span_until(text, part));
		netstring_append(&submit->pending, str_span(&field));
		str_free(&field);
		text = span_from(text, part);
		if (submit->pending.len > SUBMIT_DELAY)
			send_pending(submit);
	}
}

static void
let_go(struct submit *submit)
{
	fd_close(submit->fd);
	fd_close(submit->envelope);
	fd_close(submit->error_text);
	submit->fd = submit->envelope = submit->error_text = -1;
	submit->child = 0;
	if (spare.size == 0 && submit->pending.size <= SPARE_MAX) {
		str_clear(&submit->pending);
		spare = submit->pending;
		submit->pending = (struct str)STR_INIT;
	}
	str_free(&submit->pending);
	str_free(&submit->addresses);
}

int
submit_wait(struct submit *submit)
{
	netstring_append(&submit->pending, SPAN_LITERAL("W"));
	send_pending(submit);
	if (submit->code == 0)
		submit->code = read_reply(submit);
	let_go(submit);
	return submit->code;
}

int
submit_finish(struct submit *submit)
{
	if (submit->child != 0) {
		if (submit->code != 0)
			submit_program_abort(submit);
		else
			submit->code = submit_program_finish(submit);
	} else if (submit->code == 0) {
		close_chunk(submit);
		netstring_append(&submit->pending, SPAN_LITERAL("."));
		send_pending(submit);
		if (submit->code == 0)
			submit->code = read_reply(submit);
	}
	let_go(submit);
	if (submit->code == 82 || submit->code == 88) {
		if (submit->text.len > 1)
			return submit->code;
		str_copy(&submit->text, span_of(submit_code_text(-1)));
	} else if (submit->code != 0) {
		str_copy(
		    &submit->text, span_of(submit_code_text(submit->code)));
	}
	return submit->code;
}

void
submit_abort(struct submit *submit)
{
	if (submit->child != 0)
		submit_program_abort(submit);
	let_go(submit);
}

const char *
submit_code_text(int code)
{
	switch (code) {
	case 11:
	case 115:
		return "Denvelope address too long for qq (#5.1.3)";
	case 31:
		return "Dmail server permanently rejected message (#5.3.0)";
	case 51:
		return "Zqq out of memory (#4.3.0)";
	case 52:
		return "Zqq timeout (#4.3.0)";
	case 53:
		return "Zqq write error or disk full (#4.3.0)";
	case 54:
		return "Zqq read error (#4.3.0)";
	case 55:
		return "Zqq unable to read configuration (#4.3.0)";
	case 56:
		return "Zqq trouble making network connection (#4.3.0)";
	case 61:
		return "Zqq trouble in home directory (#4.3.0)";
	case 62:
	case 63:
	case 64:
	case 65:
	case 66:
		return "Zqq trouble creating files in queue (#4.3.0)";
	case 71:
		return "Zmail server temporarily rejected message (#4.3.0)";
	case 72:
		return "Zconnection to mail server timed out (#4.4.1)";
	case 73:
		return "Zconnection to mail server rejected (#4.4.1)";
	case 74:
		return "Zcommunication with mail server failed (#4.4.2)";
	case 81:
	case 91:
		return "Zqq internal bug (#4.3.0)";
	case 120:
		return "Zunable to exec qq (#4.3.0)";
	case SUBMIT_CRASHED:
		return "Zqq crashed (#4.3.0)";
	default:
		return code >= 12 && code <= 40
		    ? "Dqq permanent problem (#5.3.0)"
		    : "Zqq temporary problem (#4.3.0)";
	}
}
