/*
 * probe - what a program that was taken over would try, from inside of it
 *
 * Preloaded into a program. As soon as it has entered its sandbox (the call of
 * prctl that installs the filter has returned, whatever it returned), each
 * thing that a sandbox is there to refuse is tried, and the outcome written as
 * one line to the file PROBE_RESULTS, which is mapped before:
 *
 *   qmail-smtpd read=EPERM create=EPERM ... end
 *
 * "done" is what succeeded. With PROBE_FREE set the same is tried before, at
 * the start of the program, so that a test can show that all of it works there.
 *
 * PROBE_PLACE is a directory with a local socket, and in it one for each
 * program, with the files victim, secret and spare. On PROBE_PORT somebody
 * listens, on 127.0.0.1. PROBE_PROCESS is one that the account may signal.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netinet/in.h>

enum {
	RESULTS = 64 * 1024, /* bytes of the file; the first 8 count them */
	INSTALL_FILTER = 22, /* PR_SET_SECCOMP */
};

static struct {
	char *results;
	const char *place;
	int port, process;
} probe;

struct line {
	char text[1024];
	size_t len;
};

static void
say(struct line *line, const char *what, long result)
{
	const char *name = result < 0 ? strerrorname_np(errno) : "done";
	int len = snprintf(line->text + line->len,
	    sizeof(line->text) - line->len, " %s=%s", what, name);

	line->len += (size_t)len;
}

/* ---- files --------------------------------------------------------------- */

static const char *
in_place(const char *name)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", probe.place,
	    program_invocation_short_name, name);
	return path;
}

static int
try_open(const char *path, int flags)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0644);

	if (fd != -1)
		(void)close(fd);
	return fd;
}

static void
try_files(struct line *line)
{
	char victim[512];

	(void)strcpy(victim, in_place("victim"));
	say(line, "read", try_open(in_place("secret"), O_RDONLY));
	say(line, "write", try_open(victim, O_WRONLY));
	say(line, "create", try_open(in_place("new"), O_WRONLY | O_CREAT));
	say(line, "truncate", truncate(victim, 0));
	say(line, "link", link(victim, in_place("linked")));
	say(line, "rename", rename(victim, in_place("renamed")));
	say(line, "unlink", unlink(in_place("spare")));
	say(line, "mkdir", mkdir(in_place("directory"), 0755));
	say(line, "chmod", chmod(in_place("secret"), 0644));
}

/* ---- processes ----------------------------------------------------------- */

static int
try_fork(void)
{
	/* not fork, which has things to do in its child */
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		syscall(SYS_exit_group, 0);
	while (pid > 0 && waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	return pid;
}

/* A program that is not there: only ENOENT says that it was looked for. */
static int
try_exec(void)
{
	char *none[] = {NULL};

	(void)execve("/nonexistent", none, none);
	return errno == ENOENT ? 0 : -1;
}

static int
try_look(void)
{
	char byte, *from = probe.results;
	struct iovec to = {&byte, 1}, at = {from, 1};

	/* another one's memory; that nothing is there means it was looked at */
	if (process_vm_readv(probe.process, &to, 1, &at, 1, 0) == -1 &&
	    errno != EFAULT)
		return -1;
	return 0;
}

static void
try_processes(struct line *line)
{
	say(line, "fork", try_fork());
	say(line, "exec", try_exec());
	say(line, "kill", kill(probe.process, 0));
	say(line, "owner", fcntl(0, F_SETOWN, probe.process));
	say(line, "look", try_look());
	say(line, "trace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

/* ---- sockets ------------------------------------------------------------- */

static int
try_connect(int domain, int type, const void *to, socklen_t len)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, 0), result;

	if (fd == -1)
		return -1;
	result = connect(fd, to, len);
	(void)close(fd);
	return result;
}

static void
try_sockets(struct line *line)
{
	struct sockaddr_in host = {.sin_family = AF_INET,
	    .sin_port = htons((unsigned short)probe.port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un local = {.sun_family = AF_UNIX};

	const char *path = in_place("../socket");

	if (strlen(path) >= sizeof(local.sun_path))
		abort();
	memcpy(local.sun_path, path, strlen(path));
	say(line, "connect",
	    try_connect(AF_INET, SOCK_STREAM, &host, sizeof(host)));
	say(line, "local",
	    try_connect(AF_UNIX, SOCK_STREAM, &local, sizeof(local)));
}

/* ---- the kernel ---------------------------------------------------------- */

static void
try_kernel(struct line *line)
{
	/* with arguments that are wrong: an error that is neither EPERM nor
	   ENOSYS is a call that was looked at */
	say(line, "clone", unshare(CLONE_NEWUSER));
	say(line, "uring", syscall(425 /* io_uring_setup */, 1, NULL));
	say(line, "terminal", ioctl(0, 0x5412 /* TIOCSTI */, ""));
}

static void
try_all(void)
{
	struct line line;
	size_t at;
	int saved = errno, len;

	len = snprintf(
	    line.text, sizeof(line.text), "%s", program_invocation_short_name);
	line.len = (size_t)len;
	try_files(&line);
	try_processes(&line);
	try_sockets(&line);
	try_kernel(&line);
	line.len += (size_t)snprintf(
	    line.text + line.len, sizeof(line.text) - line.len, " end\n");
	at = 8 + atomic_fetch_add((atomic_size_t *)probe.results, line.len);
	if (at + line.len <= RESULTS)
		memcpy(probe.results + at, line.text, line.len);
	errno = saved;
}

__attribute__((constructor)) static void
start(void)
{
	const char *results = getenv("PROBE_RESULTS"),
		   *free = getenv("PROBE_FREE");
	const char *port = getenv("PROBE_PORT"), *pid = getenv("PROBE_PROCESS");
	int fd;

	probe.place = getenv("PROBE_PLACE");
	if (results == NULL || probe.place == NULL || port == NULL ||
	    pid == NULL)
		return;
	probe.port = atoi(port);
	probe.process = atoi(pid);
	fd = open(results, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		return; /* of another user, who has no sandbox to be tried */
	probe.results =
	    mmap(NULL, RESULTS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (probe.results == MAP_FAILED)
		abort();
	if (free != NULL && strcmp(free, program_invocation_short_name) == 0)
		try_all();
}

int
prctl(int option, ...)
{
	int (*real)(int, ...) = (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl");
	unsigned long a, b, c, d;
	va_list args;
	int result;

	va_start(args, option);
	a = va_arg(args, unsigned long);
	b = va_arg(args, unsigned long);
	c = va_arg(args, unsigned long);
	d = va_arg(args, unsigned long);
	va_end(args);
	result = real(option, a, b, c, d);
	if (option == INSTALL_FILTER && probe.results != NULL)
		try_all();
	return result;
}
