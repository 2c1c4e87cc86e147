#include "local/tool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fd.h"
#include "base/sig.h"
#include "base/str.h"
#include "local/temporary.h"
#include "net/submit.h"

enum {
	CHUNK = 64 * 1024, /* bytes of message at a time */
};

void
tool_init(const char *name)
{
	die_init(name);
	/* SIGCHLD may have been ignored by whoever started us */
	if (fd_guard_standard() == -1 || sig_ignore(SIGPIPE) == -1 ||
	    sig_default(SIGCHLD) == -1)
		die_sys("fatal: cannot start");
}

const char *
tool_env(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL)
		die_perm("fatal: %s is not set", name);
	return value;
}

void
tool_exec(char **argv)
{
	int error;

	if (sig_default(SIGPIPE) == -1)
		die_sys("fatal: cannot set up signals");
	(void)execvp(argv[0], argv); /* returns if it failed */
	error = errno;
	warn_sys("fatal: cannot run %s", quote(argv[0]));
	_exit(temporary_error(error) ? EXIT_TEMP : EXIT_PERM);
}

int
tool_wait(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) == -1) {
		if (errno != EINTR)
			die_sys("fatal: cannot wait for the program");
	}
	if (!WIFEXITED(status)) {
		warn_plain("fatal: the program was killed by signal %d",
		    WTERMSIG(status));
		return EXIT_TEMP;
	}
	return WEXITSTATUS(status);
}

int
tool_run(char **argv)
{
	pid_t child = fork();

	if (child == -1)
		die_sys("fatal: cannot fork");
	if (child == 0)
		tool_exec(argv);
	return tool_wait(child);
}

/* Feeds the message to the queue. 0, or -1 with errno if it is unreadable. */
static int
feed_message(struct submit *submit)
{
	static char buf[CHUNK];

	for (;;) {
		ssize_t got = read(0, buf, sizeof(buf));

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		submit_write(submit, buf, (size_t)got);
	}
}

static void
speak(const struct str *text)
{
	/* the queue's words, or those of the program in QMAILQUEUE */
	const char *words = text->len > 0 ? text->s + 1 : "";

	if (text->s[0] == 'D')
		die_perm("fatal: %s", words);
	die_temp("fatal: %s", words);
}

void
tool_forward(struct span head, struct span sender, char **recipients)
{
	struct submit submit;

	if (submit_open(&submit) == 0) {
		submit_write(&submit, head.s, head.len);
		if (feed_message(&submit) == -1) {
			int error = errno;

			submit_abort(&submit);
			errno = error;
			die_sys("fatal: cannot read the message");
		}
		submit_from(&submit, sender);
		for (; *recipients != NULL; recipients++)
			submit_to(&submit, span_of(*recipients));
	}
	if (submit_finish(&submit) != 0)
		speak(&submit.text);
	warn_plain("qp %llu", (unsigned long long)submit.qp);
	str_free(&submit.text);
}

void
tool_send(struct span text, struct span sender, struct span recipient)
{
	struct submit submit;

	if (submit_open(&submit) == 0) {
		submit_write(&submit, text.s, text.len);
		submit_from(&submit, sender);
		submit_to(&submit, recipient);
	}
	if (submit_finish(&submit) != 0)
		speak(&submit.text);
	str_free(&submit.text);
}
