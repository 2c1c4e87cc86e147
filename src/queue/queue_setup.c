#include "queue/queue_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/privilege.h"
#include "base/sandbox.h"
#include "base/sig.h"
#include "base/str.h"
#include "conf/control.h"
#include "queue/journal.h"
#include "queue/store.h"

enum {
	CLIENTS_MAX = 10000,
	LOCK_WAIT_MS = 3000, /* for what a killed one left running */
	LOCK_PAUSE_MS = 20,
	BACKLOG = 4096,
	DESCRIPTORS = 64, /* used for other things than submitters */
};

/* ---- options ------------------------------------------------------------ */

NORETURN static void
usage(void)
{
	die_usage("qmail-queued [-n segments] [-k KiB] [-c connections]");
}

static size_t
parse_option(const char *text, size_t low, size_t high)
{
	uint64_t value;

	if (num_parse_u64(span_of(text), &value) == -1)
		usage();
	if (value < low || value > high)
		die_perm(
		    "%s is not between %zu and %zu", quote(text), low, high);
	return (size_t)value;
}

void
queue_setup_options(int argc, char **argv, struct queue_options *options)
{
	int letter;

	*options = (struct queue_options){
	    .segments = 4, .kib = 16 * 1024, .clients = 1000};
	opterr = 0; /* one line is enough */
	while ((letter = getopt(argc, argv, "n:k:c:")) != -1) {
		switch (letter) {
		case 'n':
			options->segments = parse_option(
			    optarg, JOURNAL_SLOTS_MIN, JOURNAL_SLOTS_MAX / 2);
			break;
		case 'k':
			options->kib = parse_option(
			    optarg, JOURNAL_KIB_MIN, JOURNAL_KIB_MAX);
			break;
		case 'c':
			options->clients = parse_option(optarg, 1, CLIENTS_MAX);
			break;
		default:
			usage();
		}
	}
	if (optind != argc)
		usage();
}

/* ---- signals, limits ---------------------------------------------------- */

size_t
queue_setup_limit(size_t wanted)
{
	struct rlimit limit;
	size_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		die_sys("cannot read the limit of descriptors");
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
			die_sys("cannot raise the limit of descriptors");
	}
	/* a submitter may need its socket and a file */
	if (limit.rlim_cur < DESCRIPTORS + 2)
		die_temp("the limit of descriptors is too low");
	most = ((size_t)limit.rlim_cur - DESCRIPTORS) / 2;
	return wanted < most ? wanted : most;
}

int
queue_setup_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGHUP, SIGXFSZ};
	int signals;

	signals = sig_open();
	if (signals == -1 || sig_watch(SIGTERM) == -1 ||
	    sig_watch(SIGUSR1) == -1 || sig_watch(SIGINT) == -1)
		die_sys("cannot watch signals");
	for (size_t i = 0; i < COUNT(ignored); i++) {
		if (sig_ignore(ignored[i]) == -1)
			die_sys("cannot ignore signals");
	}
	return signals;
}

/* ---- account, directories ----------------------------------------------- */

static void
home_path(struct str *path, const char *name)
{
	str_format(path, "%s/%s", control_home_path(), name);
}

/* As root only: the two directories that qmailq cannot make for itself. */
static void
ensure_directory(const struct accounts *accounts, const char *name, mode_t mode)
{
	struct str path = STR_INIT;
	struct stat st;

	home_path(&path, name);
	if (mkdir(path.s, mode) == 0) {
		if (chmod(path.s, mode) == -1 ||
		    chown(path.s, accounts->qmailq, accounts->qmail) == -1)
			die_sys("cannot set the owner of %s", quote(path.s));
	} else if (errno != EEXIST) {
		die_sys("cannot make %s", quote(path.s));
	}
	if (lstat(path.s, &st) == -1)
		die_sys("cannot look at %s", quote(path.s));
	if (!S_ISDIR(st.st_mode) || st.st_uid != accounts->qmailq)
		die_temp("%s is not a directory of qmailq", quote(path.s));
	str_free(&path);
}

void
queue_setup_accounts(struct accounts *accounts)
{
	const char *missing = accounts_load(accounts);

	if (missing != NULL && errno != 0)
		die_sys("cannot look up %s", quote(missing));
	if (missing != NULL)
		die_temp("there is no account or group %s", quote(missing));
	ensure_directory(accounts, "queue", 0750);
	ensure_directory(accounts, "run", 0755);
	if (privilege_drop(accounts->qmailq, accounts->qmail) == -1)
		die_sys("cannot become qmailq");
}

/* A queue of classic qmail in our place: its lock is a directory. Nothing in it
   may be touched. */
static void
refuse_classic(void)
{
	static const char *const names[] = {"queue/lock", "queue/info"};
	struct str path = STR_INIT;
	struct stat st;

	for (size_t i = 0; i < COUNT(names); i++) {
		home_path(&path, names[i]);
		if (lstat(path.s, &st) == 0 && S_ISDIR(st.st_mode))
			die_temp("queue is a queue of classic qmail: rename "
				 "it to queue.classic, start this again, then "
				 "run qmail-qtool import queue.classic");
	}
	str_free(&path);
}

int
queue_setup_lock(void)
{
	struct timespec pause = {0, LOCK_PAUSE_MS * 1000000L};
	int64_t end_ms = clock_mono_ms() + LOCK_WAIT_MS;
	struct str path = STR_INIT;
	int fd;

	refuse_classic();
	home_path(&path, "queue/lock");
	fd = open(path.s, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd == -1)
		die_sys("cannot open %s", quote(path.s));
	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			die_sys("cannot lock %s", quote(path.s));
		if (clock_mono_ms() >= end_ms)
			die_temp("%s is locked: qmail-queued runs already",
			    quote(path.s));
		(void)nanosleep(&pause, NULL); /* sooner does no harm */
	}
	str_free(&path);
	return fd;
}

void
queue_setup_cleaners(struct cleaners *cleaners, const char *argv0, int lock)
{
	size_t slash = span_find_last(span_of(argv0), '/');
	struct str program = STR_INIT;

	if (slash != SPAN_NONE)
		str_append(&program, argv0, slash + 1);
	str_append_cstr(&program, "qmail-clean");
	if (cleaners_start(cleaners, program.s, lock) == -1)
		die_sys("cannot start %s", quote(program.s));
	str_free(&program);
}

void
queue_setup_directory(void)
{
	struct str failed = STR_INIT;

	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	if (chdir("queue") == -1)
		die_sys("cannot change to queue");
	if (store_make_directories(&failed) == -1)
		die_sys("cannot make queue/%s", failed.s);
	str_free(&failed);
}

void
queue_setup_sandbox(void)
{
	/* the current directory is queue/ */
	static const struct sandbox rights = {
	    .may = SANDBOX_LISTEN,
	    .read = {"/dev/urandom"},
	    .write = {".", "../run"},
	};

	sandbox_enter(&rights);
}

/* ---- sockets ------------------------------------------------------------ */

static int
open_socket(const char *path, int type, mode_t mask)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t before;
	int fd = socket(AF_UNIX, type, 0);

	if (fd == -1)
		die_sys("cannot make a socket");
	memcpy(address.sun_path, path, strlen(path));
	if (unlink(path) == -1 && errno != ENOENT)
		die_sys("cannot remove %s", path);
	before = umask(mask);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == -1)
		die_sys("cannot bind %s", path);
	(void)umask(before);
	if (fd_cloexec(fd) == -1 || fd_nonblock(fd) == -1 ||
	    listen(fd, BACKLOG) == -1)
		die_sys("cannot listen on %s", path);
	return fd;
}

int
queue_setup_submit_socket(void)
{
	return open_socket(QUEUE_SUBMIT_SOCKET, SOCK_STREAM, 0111);
}

int
queue_setup_control_socket(void)
{
	return open_socket(QUEUE_CONTROL_SOCKET, SOCK_SEQPACKET, 0117);
}
