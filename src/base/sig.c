#include "base/sig.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

static struct {
	int ends[2];
} sig_state = {{-1, -1}};

static int
set_handler(int number, void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = SA_RESTART | (number == SIGCHLD ? SA_NOCLDSTOP : 0);
	(void)sigemptyset(&action.sa_mask); /* cannot fail */
	return sigaction(number, &action, NULL);
}

int
sig_ignore(int number)
{
	return set_handler(number, SIG_IGN);
}

int
sig_default(int number)
{
	return set_handler(number, SIG_DFL);
}

static int
change_mask(int how)
{
	static const int held[] = {SIGHUP, SIGALRM, SIGTERM, SIGINT};
	sigset_t set;

	(void)sigemptyset(&set); /* these cannot fail */
	for (size_t i = 0; i < COUNT(held); i++)
		(void)sigaddset(&set, held[i]);
	return sigprocmask(how, &set, NULL);
}

int
sig_hold(void)
{
	return change_mask(SIG_BLOCK);
}

int
sig_release(void)
{
	return change_mask(SIG_UNBLOCK);
}

static void
note(int number)
{
	int error = errno;
	char byte = (char)number;

	/* full: earlier bytes already wake the reader */
	if (write(sig_state.ends[1], &byte, 1) == -1)
		errno = error;
	errno = error;
}

int
sig_open(void)
{
	if (fd_pipe(sig_state.ends) == -1)
		return -1;
	if (fd_nonblock(sig_state.ends[0]) == -1 ||
	    fd_nonblock(sig_state.ends[1]) == -1)
		return -1;
	return sig_state.ends[0];
}

int
sig_watch(int number)
{
	return set_handler(number, note);
}

int
sig_next(void)
{
	char byte;

	return read(sig_state.ends[0], &byte, 1) == 1 ? byte : 0;
}
