/*
 * qmail-start - starts the delivery side and ends with it
 * Runs as: root, or one ordinary user for everything
 * Trusts:  its arguments and environment
 * Reads:   nothing    Writes: the log
 * Starts:  logger (qmaill:nofiles): 0 the log
 *          qmail-lspawn (root:qmail): 0 socket to qmail-send, 1 and 2 log
 *          qmail-rspawn (qmailr:nofiles): the same
 *          qmail-send (qmails:qmail): 0 log, 1 qmail-lspawn, 2 log,
 *          3 qmail-rspawn, 4 lifeline, a pipe that only we hold open
 * Exit:    0 qmail-send exited 0; 100 wrong usage; 111 anything else
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/privilege.h"
#include "base/sig.h"
#include "base/str.h"
#include "conf/accounts.h"
#include "conf/control.h"

enum {
	STRAY_MAX = 256, /* inherited descriptors below it are not passed on */
	SAFE_FD = 16,    /* ours lie above all that a child gets */
	PATIENCE_MS = 10 * 1000,
};

enum part {
	PART_LOGGER,
	PART_LSPAWN,
	PART_RSPAWN,
	PART_SEND,
	PARTS,
};

static struct {
	struct accounts accounts;
	pid_t pids[PARTS]; /* 0: not running */
	int signals;
	int log;                 /* what the others write their log to */
	int log_end;             /* the logger's end of it, or -1 */
	int local[2], remote[2]; /* [0] for qmail-send, [1] for the spawn */
	int lifeline[2];
	int patience_ms; /* with those that are left; -1: for ever */
	int exit_code;
} start_state = {.log_end = -1, .patience_ms = -1, .exit_code = EXIT_TEMP};

/* Where in the child which of our descriptors goes. */
struct plug {
	int from, to;
};

/* Moves a descriptor out of the way of those that children get. */
static int
lift(int fd)
{
	int lifted = fcntl(fd, F_DUPFD_CLOEXEC, SAFE_FD);

	if (lifted == -1)
		die_sys("cannot make room among the descriptors");
	fd_close(fd);
	return lifted;
}

/* made is the result of the call that has just made both ends. */
static void
lift_both(int made, int ends[2])
{
	if (made == -1)
		die_sys("cannot make a pipe or socket pair");
	ends[0] = lift(ends[0]);
	ends[1] = lift(ends[1]);
}

static void
open_descriptors(bool with_logger)
{
	int pipe_ends[2];

	lift_both(fd_packet_pair(start_state.local), start_state.local);
	lift_both(fd_packet_pair(start_state.remote), start_state.remote);
	lift_both(fd_pipe(start_state.lifeline), start_state.lifeline);
	if (with_logger) {
		lift_both(fd_pipe(pipe_ends), pipe_ends);
		start_state.log_end = pipe_ends[0];
		start_state.log = pipe_ends[1];
	} else {
		start_state.log = fcntl(1, F_DUPFD_CLOEXEC, SAFE_FD);
		if (start_state.log == -1)
			die_sys("cannot duplicate the log descriptor");
	}
}

/* What we inherited is not for those that we start. */
static void
guard_descriptors(void)
{
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	for (int fd = 3; fd < STRAY_MAX; fd++)
		(void)!fd_cloexec(fd); /* most are not open */
}

/* In the child. Ours are looked for in the home first, the logger there only
   if PATH does not have it. */
NORETURN static void
run(char *const *argv, bool is_ours)
{
	struct str path = STR_INIT;

	str_format(&path, "%s/bin/%s", control_home_path(), argv[0]);
	if (is_ours)
		(void)execv(path.s, argv);
	if (!is_ours || errno == ENOENT || errno == ENOTDIR)
		(void)execvp(argv[0], argv);
	if (!is_ours && errno == ENOENT)
		(void)execv(path.s, argv);
	die_sys("cannot run %s", quote(argv[0]));
}

/* In the child: gives back to the program what we changed for us. */
static void
restore_signals(void)
{
	static const int numbers[] = {
	    SIGHUP, SIGALRM, SIGTERM, SIGINT, SIGCHLD, SIGPIPE};

	for (size_t i = 0; i < COUNT(numbers); i++) {
		if (sig_default(numbers[i]) == -1)
			die_sys("cannot reset signals");
	}
}

static void
start(enum part part, char *const *argv, const struct plug *plugs,
    size_t plug_count, uid_t uid, gid_t gid)
{
	pid_t pid;

	/* what we pass on must not end qmail-send before it listens: it gets
	   them held back, and releases them */
	if (part == PART_SEND && sig_hold() == -1)
		die_sys("cannot hold signals");
	pid = fork();
	if (pid == -1)
		die_sys("cannot fork"); /* the others see the end of theirs */
	if (pid != 0) {
		start_state.pids[part] = pid;
		if (part == PART_SEND && sig_release() == -1)
			die_sys("cannot release signals");
		return;
	}
	restore_signals();
	for (size_t i = 0; i < plug_count; i++) {
		if (dup2(plugs[i].from, plugs[i].to) == -1)
			die_sys("cannot pass descriptors");
	}
	if (!start_state.accounts.alone && privilege_drop(uid, gid) == -1)
		die_sys("cannot become the account of %s", quote(argv[0]));
	run(argv, part != PART_LOGGER);
}

static void
start_all(char *default_delivery, char *const *logger)
{
	const struct accounts *who = &start_state.accounts;
	char *lspawn[] = {
	    (char *)(uintptr_t) "qmail-lspawn", default_delivery, NULL};
	char *rspawn[] = {(char *)(uintptr_t) "qmail-rspawn", NULL};
	char *send[] = {(char *)(uintptr_t) "qmail-send", NULL};
	int log = start_state.log;
	struct plug for_logger[] = {{start_state.log_end, 0}};
	struct plug for_lspawn[] = {
	    {start_state.local[1], 0}, {log, 1}, {log, 2}};
	struct plug for_rspawn[] = {
	    {start_state.remote[1], 0}, {log, 1}, {log, 2}};
	struct plug for_send[] = {{log, 0}, {start_state.local[0], 1}, {log, 2},
	    {start_state.remote[0], 3}, {start_state.lifeline[0], 4}};

	if (logger != NULL)
		start(PART_LOGGER, logger, for_logger, COUNT(for_logger),
		    who->qmaill, who->nofiles);
	start(
	    PART_LSPAWN, lspawn, for_lspawn, COUNT(for_lspawn), 0, who->qmail);
	start(PART_RSPAWN, rspawn, for_rspawn, COUNT(for_rspawn), who->qmailr,
	    who->nofiles);
	start(PART_SEND, send, for_send, COUNT(for_send), who->qmails,
	    who->qmail);
	/* now each end is where it belongs, and its closing means something */
	for (size_t i = 0; i < 2; i++) {
		fd_close(start_state.local[i]);
		fd_close(start_state.remote[i]);
	}
	fd_close(start_state.lifeline[0]);
	fd_close(start_state.log_end);
	fd_close(log);
}

/*
 * When qmail-send ends, the spawns see it and finish what they have; when a
 * spawn ends, qmail-send sees it; when all are gone, the logger sees that.
 * Only the end of the logger has to be told. If qmail-send did not mean to
 * end, nobody waits long for deliveries that may take a day.
 */
static void
note_end(pid_t pid, int status)
{
	for (size_t i = 0; i < PARTS; i++) {
		if (start_state.pids[i] != pid)
			continue;
		start_state.pids[i] = 0;
		if (i == PART_SEND && status == 0)
			start_state.exit_code = 0;
		else if (i == PART_SEND)
			start_state.patience_ms = PATIENCE_MS;
		if (i == PART_LOGGER && start_state.pids[PART_SEND] != 0)
			(void)kill(start_state.pids[PART_SEND], SIGTERM);
		return;
	}
}

static void
pass_on(int number)
{
	if (number == SIGINT)
		number = SIGTERM;
	if (number != SIGCHLD && start_state.pids[PART_SEND] != 0)
		(void)kill(start_state.pids[PART_SEND], number);
}

static void
watch(void)
{
	for (;;) {
		int number, status, ready;
		pid_t pid;

		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			note_end(pid, status);
		if (pid == -1) /* no child is left */
			return;
		ready = fd_wait_readable(
		    start_state.signals, start_state.patience_ms);
		if (ready == -1)
			die_sys("cannot wait");
		if (ready == 0)
			return;
		while ((number = sig_next()) != 0)
			pass_on(number);
	}
}

static void
prepare(void)
{
	static const int numbers[] = {
	    SIGHUP, SIGALRM, SIGTERM, SIGINT, SIGCHLD};
	const char *missing;

	(void)umask(077);
	guard_descriptors();
	missing = accounts_load(&start_state.accounts);
	if (missing != NULL)
		die_sys("cannot find account %s", missing);
	if (!start_state.accounts.alone && geteuid() != 0)
		die_temp("must be started by root, or by one user for all");
	if (chdir("/") == -1)
		die_sys("cannot change to /");
	start_state.signals = sig_open();
	if (start_state.signals == -1)
		die_sys("cannot set up signals");
	for (size_t i = 0; i < COUNT(numbers); i++) {
		if (sig_watch(numbers[i]) == -1)
			die_sys("cannot set up signals");
	}
}

int
main(int argc, char **argv)
{
	bool has_logger = argc > 2;

	die_init("qmail-start");
	prepare();
	open_descriptors(has_logger);
	start_all(argc > 1 ? argv[1] : (char *)(uintptr_t) "./Mailbox",
	    has_logger ? argv + 2 : NULL);
	watch();
	return start_state.exit_code;
}
