#include "net/submit_program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/sig.h"

enum {
	ASIDE = 10, /* descriptors from here on are out of the way */
	POLL_MS = 200,
	BUFFER = 16 * 1024,
};

struct pipes {
	int message[2], envelope[2], words[2];
};

static void
close_pipes(struct pipes *pipes)
{
	for (size_t i = 0; i < 2; i++) {
		fd_close(pipes->message[i]);
		fd_close(pipes->envelope[i]);
		fd_close(pipes->words[i]);
	}
}

static int
open_pipes(struct pipes *pipes)
{
	*pipes = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
	if (fd_pipe(pipes->message) == 0 && fd_pipe(pipes->envelope) == 0 &&
	    fd_pipe(pipes->words) == 0)
		return 0;
	close_pipes(pipes);
	return -1;
}

/* In the child; the pipes may lie on the very numbers that are wanted. */
NORETURN static void
become(const struct pipes *pipes, const char *path, const char *home)
{
	char *argv[] = {(char *)(uintptr_t)path, NULL};
	int message = fcntl(pipes->message[0], F_DUPFD, ASIDE);
	int envelope = fcntl(pipes->envelope[0], F_DUPFD, ASIDE);
	int words = fcntl(pipes->words[1], F_DUPFD, ASIDE);

	if (message == -1 || envelope == -1 || words == -1 ||
	    dup2(words, 4) == -1 || fd_move(message, 0) == -1 ||
	    fd_move(envelope, 1) == -1 || fd_move(words, 6) == -1)
		_exit(120);
	if (sig_default(SIGPIPE) == -1)
		_exit(120);
	if (chdir(home) == -1)
		_exit(61);
	(void)execv(path, argv);
	_exit(120);
}

void
submit_program_start(struct submit *submit, const char *path, const char *home)
{
	struct pipes pipes;
	pid_t child;

	if (open_pipes(&pipes) == -1) {
		submit->code = 51;
		return;
	}
	child = fork();
	if (child == -1) {
		close_pipes(&pipes);
		submit->code = 51;
		return;
	}
	if (child == 0)
		become(&pipes, path, home);
	fd_close(pipes.message[0]);
	fd_close(pipes.envelope[0]);
	fd_close(pipes.words[1]);
	submit->child = child;
	submit->fd = pipes.message[1];
	submit->envelope = pipes.envelope[1];
	submit->error_text = pipes.words[0];
}

static void
flush(struct submit *submit)
{
	if (submit->fd != -1 &&
	    fd_write_timeout(submit->fd, submit->pending.s, submit->pending.len,
		SUBMIT_PROGRAM_S) == -1) {
		/* A program that ends early says more by its exit code than we
		   learn from EPIPE: the rest is dropped, and counts only if it
		   says 0. Any other failure is ours; the program would take
		   what it has for all, so it gets no envelope. */
		if (errno != EPIPE)
			submit->code = errno == ETIMEDOUT ? 52 : 53;
		fd_close(submit->fd);
		submit->fd = -1;
	}
	str_clear(&submit->pending);
}

void
submit_program_write(struct submit *submit, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t part = BUFFER - submit->pending.len;

		if (part > len)
			part = len;
		str_append(&submit->pending, bytes, part);
		bytes += part;
		len -= part;
		if (submit->pending.len == BUFFER)
			flush(submit);
	}
}

/* Reads the words that are there. False at the end of file. */
static bool
read_words(struct submit *submit)
{
	char buf[SUBMIT_TEXT_MAX + 1];
	ssize_t got = read(submit->error_text, buf, sizeof(buf));
	size_t room = SUBMIT_TEXT_MAX - submit->text.len;

	if (got == -1)
		return errno == EINTR;
	if ((size_t)got < room)
		room = (size_t)got;
	str_append(&submit->text, buf, room);
	return got > 0;
}

/*
 * Collects the words and the exit status. The pipe alone does not tell when
 * the program is over: something it left behind may hold the other end.
 */
static int
wait_for_end(struct submit *submit, int *status)
{
	int64_t end_ms = clock_mono_ms() + SUBMIT_PROGRAM_S * (int64_t)1000;
	bool open = true;

	while (open && clock_mono_ms() < end_ms) {
		pid_t ended;

		if (fd_wait_readable(submit->error_text, POLL_MS) == 1) {
			open = read_words(submit);
			continue;
		}
		ended = waitpid(submit->child, status, WNOHANG);
		if (ended == submit->child) {
			/* its words may have come since the look above */
			if (fd_wait_readable(submit->error_text, 0) == 1)
				(void)read_words(submit);
			return 0;
		}
		if (ended == -1 && errno != EINTR)
			return -1;
	}
	if (open)
		(void)kill(submit->child, SIGKILL); /* it had a day */
	while (waitpid(submit->child, status, 0) == -1) {
		if (errno != EINTR)
			return -1;
	}
	return 0;
}

/* "D words" or "Z words", fit for a reply: no control bytes, no line ends. */
static void
tidy_words(struct str *text)
{
	while (text->len > 0 &&
	    (text->s[text->len - 1] == '\n' || text->s[text->len - 1] == '\r'))
		str_truncate(text, text->len - 1);
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->s[i];

		if (c < 32 || c == 127)
			text->s[i] = ' ';
	}
	if (text->len <= 2)
		str_clear(text);
	else if (text->s[0] != 'D')
		text->s[0] = 'Z';
}

int
submit_program_finish(struct submit *submit)
{
	bool whole;
	int status;

	flush(submit);
	if (submit->code != 0) {
		submit_program_abort(submit);
		return submit->code;
	}
	whole = submit->fd != -1;
	fd_close(submit->fd);
	submit->fd = -1;
	str_append_char(&submit->addresses, '\0');
	if (fd_write_timeout(submit->envelope, submit->addresses.s,
		submit->addresses.len, SUBMIT_PROGRAM_S) == -1)
		whole = false;
	fd_close(submit->envelope);
	submit->envelope = -1;
	if (wait_for_end(submit, &status) == -1 || !WIFEXITED(status))
		return SUBMIT_CRASHED;
	submit->qp = (uint64_t)submit->child;
	tidy_words(&submit->text);
	if (WEXITSTATUS(status) == 0 && !whole)
		return 54;
	return WEXITSTATUS(status);
}

void
submit_program_abort(struct submit *submit)
{
	int status;

	fd_close(submit->fd);
	fd_close(submit->envelope);
	submit->fd = submit->envelope = -1;
	/* its verdict is of no interest; without the wait it would stay as a
	   zombie */
	if (wait_for_end(submit, &status) == -1 && submit->code == 0)
		submit->code = SUBMIT_CRASHED;
	str_clear(&submit->text);
}
