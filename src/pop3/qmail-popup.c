/*
 * qmail-popup - the authorization phase of POP3, on descriptors 0 and 1
 * Runs as: root, under tcpserver    Trusts: its arguments
 * Reads:   the network              Writes: the network; descriptor 3 of the
 *          subprogram: user NUL password NUL banner NUL
 * Exit:    1 always
 *
 * The subprogram (qmail-checkpass, checkpassword) checks the password, becomes
 * the user and runs the next program, which talks to the client from then on.
 * Input is read byte by byte, so that what a client sends behind PASS is left
 * for that program. Nothing here looks at a file.
 */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/in.h"
#include "base/out.h"
#include "base/sig.h"
#include "base/str.h"
#include "pop3/pop3_command.h"
#include "pop3/pop3_log.h"
#include "pop3/sasl_plain.h"

enum {
	AUTHORIZE_MAX_S = 1200,           /* from the banner to PASS */
	AUTHORIZE_MAX_LINES = 100,        /* commands before PASS */
	SECRET_MAX = 512,                 /* bytes that a subprogram reads */
	SKIPPED_MAX = 16 * POP3_LINE_MAX, /* of a line that is too long */
};

static struct {
	struct in in;
	struct out out;
	char in_buf[1], out_buf[1024];
	struct str banner, line, user;
	bool has_user;
	int64_t deadline_ms; /* of the login */
	char **subprogram;
} popup = {.banner = STR_INIT, .line = STR_INIT, .user = STR_INIT};

static void
reply(const char *text)
{
	out_cstr(&popup.out, text);
	out_cstr(&popup.out, "\r\n");
}

static NORETURN void
leave(void)
{
	if (out_flush(&popup.out) == -1)
		_exit(1); /* the client is gone, there is nobody to tell */
	_exit(1);
}

static NORETURN void
run_subprogram(const int pipe_ends[2])
{
	close(pipe_ends[1]);
	if (fd_move(pipe_ends[0], 3) == -1 || sig_default(SIGPIPE) == -1)
		_exit(1);
	execvp(popup.subprogram[0], popup.subprogram);
	warn_sys("cannot run %s", quote(popup.subprogram[0]));
	_exit(1);
}

/* Attempts to guess a password shall be seen in the log. */
static void
log_login(struct span user, int status)
{
	if (!WIFEXITED(status))
		pop3_log(user, "result=reject signal=%d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == 0)
		pop3_log(user, "result=accept");
	else
		pop3_log(user, "result=reject status=%d", WEXITSTATUS(status));
}

/* Runs the subprogram with the secret; it takes over the conversation. */
static NORETURN void
authorize(struct span user, struct span password)
{
	struct str secret = STR_INIT;
	int ends[2], status;
	pid_t child;

	assert(popup.subprogram != NULL);
	str_append_span(&secret, user);
	str_append_char(&secret, '\0');
	str_append_span(&secret, password);
	str_append_char(&secret, '\0');
	str_append_span(&secret, str_span(&popup.banner));
	str_append_char(&secret, '\0');
	/* a longer one would reach the subprogram cut */
	if (secret.len > SECRET_MAX) {
		reply("-ERR authorization failed");
		pop3_log(user, "result=reject why=too-long");
		leave();
	}
	if (out_flush(&popup.out) == -1)
		_exit(1);
	/* it fits into the pipe, so it is written before anybody reads */
	if (fd_pipe(ends) == -1 ||
	    fd_write_all(ends[1], secret.s, secret.len) == -1 ||
	    (child = fork()) == -1) {
		warn_sys("cannot run %s", quote(popup.subprogram[0]));
		reply("-ERR unable to check your password now");
		leave();
	}
	if (child == 0)
		run_subprogram(ends);
	fd_close(ends[0]);
	fd_close(ends[1]);
	while (waitpid(child, &status, 0) == -1)
		; /* EINTR: there is no other way to fail */
	log_login(user, status);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		leave();
	reply(WIFEXITED(status) ? "-ERR authorization failed"
				: "-ERR aack, child crashed");
	leave();
}

static void
do_user(struct span argument)
{
	if (argument.len == 0) {
		reply("-ERR syntax error");
		return;
	}
	str_copy(&popup.user, argument);
	popup.has_user = true;
	reply("+OK ");
}

static void
do_apop(struct span argument)
{
	size_t at = span_find(argument, ' ');

	if (at == SPAN_NONE)
		reply("-ERR syntax error");
	else
		authorize(
		    span_until(argument, at), span_from(argument, at + 1));
}

/* Reads up to LF. Returns 1, 0 if the line was too long and is skipped; leaves
   at the end of the connection, when time is up, and if the line has no end. */
static int
read_line(void)
{
	size_t skipped = 0;

	str_clear(&popup.line);
	for (;;) {
		int64_t left_s = (popup.deadline_ms - clock_mono_ms()) / 1000;
		int byte;

		if (left_s <= 0)
			leave();
		popup.in.timeout_s = (unsigned)left_s;
		byte = in_byte(&popup.in);
		if (byte == -1)
			leave();
		if (popup.line.len < POP3_LINE_MAX)
			str_append_char(&popup.line, (char)byte);
		else if (++skipped > SKIPPED_MAX)
			leave();
		if (byte == '\n')
			return skipped == 0;
	}
}

/* AUTH PLAIN, with the answer in the same line or in the next. */
static void
do_auth(struct span argument)
{
	size_t at = span_find(argument, ' ');
	struct span name =
	    at == SPAN_NONE ? argument : span_until(argument, at);
	struct span answer = span_from(argument, name.len), user, password;

	if (!span_equal_nocase(name, SPAN_LITERAL("PLAIN"))) {
		reply("-ERR authorization first");
		return;
	}
	if (answer.len > 0) {
		answer = span_from(answer, 1);
	} else {
		reply("+ ");
		if (!read_line()) {
			reply("-ERR line too long");
			return;
		}
		/* base64 has no spaces: all that is trimmed is the line end */
		answer = span_trim_right(str_span(&popup.line));
		if (answer.len > 0 && answer.s[answer.len - 1] == '\r')
			answer.len--;
	}
	if (sasl_plain_decode(answer, &popup.user, &user, &password) == 0)
		authorize(user, password);
	popup.has_user = false; /* its memory was used */
	reply("-ERR syntax error");
}

static void
do_line(struct span line)
{
	struct span argument;
	enum pop3_verb verb = pop3_command_parse(line, &argument);

	if (span_find(argument, '\0') != SPAN_NONE) {
		/* it would shift the fields of the secret */
		reply("-ERR syntax error");
		return;
	}
	switch (verb) {
	case POP3_USER:
		do_user(argument);
		break;
	case POP3_PASS:
		if (!popup.has_user)
			reply("-ERR USER first");
		else if (argument.len == 0)
			reply("-ERR syntax error");
		else
			authorize(str_span(&popup.user), argument);
		break;
	case POP3_APOP:
		do_apop(argument);
		break;
	case POP3_AUTH:
		do_auth(argument);
		break;
	case POP3_CAPA:
		reply("+OK \r\n" POP3_CAPABILITIES POP3_CAPABILITIES_LOGIN ".");
		break;
	case POP3_NOOP:
		reply("+OK ");
		break;
	case POP3_QUIT:
		reply("+OK ");
		leave();
	default:
		reply("-ERR authorization first");
		break;
	}
}

int
main(int argc, char **argv)
{
	die_init("qmail-popup");
	/* an inherited SIGCHLD that is ignored would leave nothing to wait for
	 */
	if (fd_guard_standard() == -1 || sig_ignore(SIGPIPE) == -1 ||
	    sig_default(SIGCHLD) == -1)
		return 1;
	out_init(&popup.out, 1, AUTHORIZE_MAX_S, popup.out_buf,
	    sizeof(popup.out_buf));
	if (argc < 3) {
		reply("-ERR usage: popup hostname subprogram");
		leave();
	}
	popup.subprogram = argv + 2;
	popup.deadline_ms = clock_mono_ms() + AUTHORIZE_MAX_S * 1000;
	in_init(
	    &popup.in, 0, AUTHORIZE_MAX_S, popup.in_buf, sizeof(popup.in_buf));
	popup.in.tied = &popup.out;
	str_format(&popup.banner, "<%ld.%lld@%s>", (long)getpid(),
	    (long long)clock_now(), argv[1]);
	out_cstr(&popup.out, "+OK ");
	reply(popup.banner.s);
	for (int lines = 0; lines < AUTHORIZE_MAX_LINES; lines++) {
		if (read_line())
			do_line(str_span(&popup.line));
		else
			reply("-ERR line too long");
	}
	reply("-ERR too many commands");
	leave();
}
