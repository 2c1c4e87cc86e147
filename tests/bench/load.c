/*
 * load - what the bench needs that an interpreter would be too slow for
 *
 * load hold                                  first process of a cell: reaps
 * load sink COUNTERS ADDRESS PORT DELAY_MS   an SMTP server that counts
 * load spawn PARALLEL COUNT FILE PROGRAM ... runs a program with FILE as input
 * load pop3 PORT USER PASSWORD CLIENTS RETR  clients that read a mailbox
 * load raw journal|maildir|exec DIR SECONDS PROCESSES
 *
 * What is counted is printed as "name value" lines. Exit 0, or 111.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 2000,
	GREETING_S = 10,
	LINE_SIZE = 64 * 1024,
	MESSAGE_BYTES = 4096,
	BATCH = 20, /* messages that share a sync, as 20 sessions would */
	JOURNAL_BYTES = 16 * 1024 * 1024,
	WAIT_S = 600, /* the longest silence of a server */
};

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(111);
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long
number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 0) {
		fprintf(stderr, "load: not a number: %s\n", text);
		exit(100);
	}
	return value;
}

static struct sockaddr_in
loopback(long port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return at;
}

static void
no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- hold -------------------------------------------------------------- */

static void
end_at_once(int sig)
{
	(void)sig;
	_exit(0);
}

/* As the first process of its namespace it takes all others with it. */
static _Noreturn void
hold(void)
{
	struct sigaction end = {.sa_handler = end_at_once};
	sigset_t child;
	int sig;

	sigaction(SIGTERM, &end, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	puts("ready");
	fflush(stdout);
	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		sigwait(&child, &sig);
	}
}

/* ---- sink -------------------------------------------------------------- */

struct counters {
	uint64_t connections, messages, recipients, open, open_max;
	uint64_t pending; /* transactions under way */
};

struct client {
	int fd;
	int has_mail, in_data;
	int quits;
	size_t matched; /* of the end of the data */
	size_t line_len, reply_len;
	double due; /* when the reply may be sent; 0: there is none */
	char line[1024];
	char reply[4096];
};

static struct {
	struct counters *counters;
	double delay_s;
	struct client *clients[CLIENTS_MAX];
	struct pollfd polled[CLIENTS_MAX + 1];
	size_t count;
} sink;

static void
sink_say(struct client *c, const char *text)
{
	size_t len = strlen(text);

	if (len > sizeof c->reply - c->reply_len)
		return; /* whoever sends so much ahead gets no answer */
	memcpy(c->reply + c->reply_len, text, len);
	c->reply_len += len;
	if (c->due <= 0)
		c->due = now_s() + sink.delay_s;
}

static void
sink_pending(struct client *c, int has_mail)
{
	sink.counters->pending += (uint64_t)has_mail;
	sink.counters->pending -= (uint64_t)c->has_mail;
	c->has_mail = has_mail;
}

static void
sink_line(struct client *c)
{
	if (strncasecmp(c->line, "EHLO", 4) == 0)
		sink_say(c,
		    "250-sink.example\r\n250-PIPELINING\r\n"
		    "250 8BITMIME\r\n");
	else if (strncasecmp(c->line, "DATA", 4) == 0) {
		c->in_data = 1;
		c->matched = 2; /* a message may be just a dot */
		sink_say(c, "354 go\r\n");
	} else if (strncasecmp(c->line, "QUIT", 4) == 0) {
		c->quits = 1;
		sink_say(c, "221 bye\r\n");
	} else {
		if (strncasecmp(c->line, "RCPT", 4) == 0)
			sink.counters->recipients++;
		else if (strncasecmp(c->line, "NOOP", 4) != 0)
			sink_pending(c, *c->line == 'M' || *c->line == 'm');
		sink_say(c, "250 ok\r\n");
	}
}

static void
sink_byte(struct client *c, char byte)
{
	static const char end[] = "\r\n.\r\n";

	if (c->in_data) {
		if (byte == end[c->matched])
			c->matched++;
		else
			c->matched = byte == '\r' ? 1 : 0;
		if (c->matched < sizeof end - 1)
			return;
		c->in_data = 0;
		sink.counters->messages++;
		sink_pending(c, 0);
		sink_say(c, "250 kept\r\n");
	} else if (byte == '\n') {
		c->line[c->line_len] = '\0';
		c->line_len = 0;
		sink_line(c);
	} else if (c->line_len < sizeof c->line - 1)
		c->line[c->line_len++] = byte;
}

/* Sends what is due; -1 if the session is over. */
static int
sink_flush(struct client *c)
{
	if (c->due <= 0 || c->due > now_s())
		return 0;
	if (send(c->fd, c->reply, c->reply_len, MSG_NOSIGNAL) !=
	    (ssize_t)c->reply_len)
		return -1;
	c->reply_len = 0;
	c->due = 0;
	return c->quits ? -1 : 0;
}

static int
sink_read(struct client *c)
{
	static char buffer[LINE_SIZE];
	ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);

	if (got <= 0)
		return -1;
	for (ssize_t i = 0; i < got; i++)
		sink_byte(c, buffer[i]);
	return 0;
}

static void
sink_accept(int listener)
{
	struct client *c;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd == -1)
		return;
	c = calloc(1, sizeof *c);
	if (c == NULL || sink.count == CLIENTS_MAX)
		die("too many clients");
	no_delay(fd);
	c->fd = fd;
	sink.clients[sink.count++] = c;
	sink.counters->connections++;
	sink.counters->open = sink.count;
	if (sink.count > sink.counters->open_max)
		sink.counters->open_max = sink.count;
	sink_say(c, "220 sink.example ESMTP\r\n");
}

/* All clients that have something to read, to be told, or to lose. */
static void
sink_serve(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < sink.count; i++) {
		struct client *c = sink.clients[i];

		if ((sink.polled[i + 1].revents && sink_read(c) == -1) ||
		    sink_flush(c) == -1) {
			sink_pending(c, 0);
			close(c->fd);
			free(c);
		} else
			sink.clients[kept++] = c;
	}
	sink.count = kept;
	sink.counters->open = kept;
}

static _Noreturn void
sink_run(const char *path, const char *address, long port, long delay_ms)
{
	struct sockaddr_in at = loopback(port);
	socklen_t len = sizeof at;
	int on = 1, fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || ftruncate(fd, sizeof *sink.counters) == -1)
		die(path);
	sink.counters = mmap(NULL, sizeof *sink.counters,
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (sink.counters == MAP_FAILED)
		die("mmap");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
		die(address);
	if (bind(listener, (struct sockaddr *)&at, sizeof at) == -1 ||
	    listen(listener, 1024) == -1 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) == -1)
		die("cannot listen");
	printf("port %d\n", ntohs(at.sin_port));
	fflush(stdout);
	sink.delay_s = (double)delay_ms / 1000;
	for (;;) {
		int before = (int)sink.count;

		sink.polled[0] =
		    (struct pollfd){.fd = listener, .events = POLLIN};
		for (int i = 0; i < before; i++)
			sink.polled[i + 1] = (struct pollfd){
			    .fd = sink.clients[i]->fd, .events = POLLIN};
		if (poll(sink.polled, (nfds_t)before + 1,
			delay_ms > 0 ? 10 : -1) == -1)
			die("poll");
		if (sink.polled[0].revents) {
			sink_accept(listener);
			sink.polled[sink.count].revents = 0;
		}
		sink_serve();
	}
}

/* ---- spawn ------------------------------------------------------------- */

static int
spawn_run(long parallel, long count, const char *file, char **argv)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	long started = 0, running = 0, failed = 0;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, file, O_RDONLY, 0);
	while (started < count || running > 0) {
		if (started < count && running < parallel) {
			errno = posix_spawn(
			    &pid, argv[0], &actions, NULL, argv, environ);
			if (errno != 0)
				die(argv[0]);
			started++;
			running++;
			continue;
		}
		if (wait(&status) == -1)
			die("wait");
		running--;
		if (status != 0)
			failed++;
	}
	printf("failed %ld\n", failed);
	return failed == 0 ? 0 : 111;
}

/* ---- pop3 -------------------------------------------------------------- */

struct pop3 {
	int fd;
	size_t have, at;
	char buffer[LINE_SIZE];
};

static int
pop3_byte(struct pop3 *p)
{
	ssize_t got;

	if (p->at == p->have) {
		got = recv(p->fd, p->buffer, sizeof p->buffer, 0);
		if (got <= 0)
			die("the POP3 server is silent");
		p->have = (size_t)got;
		p->at = 0;
	}
	return (unsigned char)p->buffer[p->at++];
}

/* Reads a line without its end; what is too long is cut. */
static void
pop3_line(struct pop3 *p, char *line, size_t size)
{
	size_t len = 0;
	int byte;

	while ((byte = pop3_byte(p)) != '\n')
		if (byte != '\r' && len + 1 < size)
			line[len++] = (char)byte;
	line[len] = '\0';
}

/* Says text (unless it is empty), expects +OK and reads the lines behind it
   if there are to be some. */
static void
pop3_ask(struct pop3 *p, const char *text, int has_lines)
{
	char line[128];
	size_t len = strlen(text);

	if (len > 0 && send(p->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("cannot send");
	pop3_line(p, line, sizeof line);
	if (strncmp(line, "+OK", 3) != 0) {
		fprintf(stderr, "load: %.20s... gets %s\n", text, line);
		exit(111);
	}
	while (has_lines && strcmp(line, ".") != 0)
		pop3_line(p, line, sizeof line);
}

/* Of more connections than its queue has room for a system forgets some, and
   only the client thinks that they are there: then it tries another. */
static int
pop3_connect(long port)
{
	struct sockaddr_in at = loopback(port);
	struct timeval wait = {.tv_sec = WAIT_S};

	for (;;) {
		struct pollfd greeting = {.events = POLLIN};

		greeting.fd = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(
		    greeting.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
		if (connect(greeting.fd, (struct sockaddr *)&at, sizeof at) ==
		    -1)
			die("connect");
		if (poll(&greeting, 1, GREETING_S * 1000) == 1)
			return greeting.fd;
		close(greeting.fd);
	}
}

static void
pop3_session(long port, char **login, long nth, long retrieve)
{
	static struct pop3 p;
	char text[256];

	p.fd = pop3_connect(port);
	no_delay(p.fd);
	pop3_ask(&p, "", 0);
	snprintf(text, sizeof text, "USER %s\r\n", login[0]);
	pop3_ask(&p, text, 0);
	snprintf(text, sizeof text, "PASS %s\r\n", login[1]);
	pop3_ask(&p, text, 0);
	pop3_ask(&p, "STAT\r\n", 0);
	pop3_ask(&p, "LIST\r\n", 1);
	pop3_ask(&p, "UIDL\r\n", 1);
	for (long i = 1; i <= retrieve; i++) {
		snprintf(text, sizeof text, "RETR %ld\r\n", nth * retrieve + i);
		pop3_ask(&p, text, 1);
	}
	pop3_ask(&p, "QUIT\r\n", 0);
}

/* One process a client: client n reads messages n*retrieve+1 ... */
static int
pop3_run(long port, char **login, long clients, long retrieve)
{
	double start = now_s();
	int status, failed = 0;

	for (long nth = 0; nth < clients; nth++) {
		pid_t pid = fork();

		if (pid == -1)
			die("fork");
		if (pid == 0) {
			pop3_session(port, login, nth, retrieve);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		failed += status != 0;
	printf("seconds %.4f\nfailed %d\n", now_s() - start, failed);
	return failed == 0 ? 0 : 111;
}

/* ---- the limits of the machine ------------------------------------------ */

static char block[MESSAGE_BYTES * BATCH];

/* Batches of messages over a file of zeros, each with one fdatasync. */
static uint64_t
raw_journal(const char *dir, long nth, double end)
{
	char path[4096];
	uint64_t done = 0;
	off_t at = 0;
	int fd;

	snprintf(path, sizeof path, "%s/journal.%ld", dir, nth);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd == -1)
		die(path);
	for (off_t o = 0; o < JOURNAL_BYTES; o += (off_t)sizeof block)
		if (pwrite(fd, block, sizeof block, o) == -1)
			die(path);
	if (fsync(fd) == -1)
		die(path);
	memset(block, 'x', sizeof block);
	for (end += now_s(); now_s() < end; done += BATCH) {
		if (pwrite(fd, block, sizeof block, at) == -1 ||
		    fdatasync(fd) == -1)
			die(path);
		at += (off_t)sizeof block;
		if (at + (off_t)sizeof block > JOURNAL_BYTES)
			at = 0;
	}
	unlink(path);
	close(fd);
	return done;
}

/* A message as a Maildir needs it: written, synced, linked, unlinked. */
static uint64_t
raw_maildir(const char *dir, long nth, double end)
{
	char from[4096], to[4096];
	uint64_t done = 0;

	snprintf(from, sizeof from, "%s/tmp.%ld", dir, nth);
	for (end += now_s(); now_s() < end; done++) {
		int fd = open(from, O_WRONLY | O_CREAT | O_EXCL, 0600);

		if (fd == -1 || write(fd, block, MESSAGE_BYTES) == -1 ||
		    fsync(fd) == -1 || close(fd) == -1)
			die(from);
		snprintf(to, sizeof to, "%s/%ld.%ld", dir, nth, (long)done);
		if (link(from, to) == -1 || unlink(from) == -1)
			die(to);
	}
	for (uint64_t i = 0; i < done; i++) {
		snprintf(to, sizeof to, "%s/%ld.%ld", dir, nth, (long)i);
		unlink(to);
	}
	return done;
}

/* This program again, which is static and ends at once. */
static uint64_t
raw_exec(const char *dir, long nth, double end)
{
	extern char **environ;
	char *argv[] = {(char *)"/proc/self/exe", (char *)"nothing", NULL};
	uint64_t done = 0;
	pid_t pid;

	(void)dir;
	(void)nth;
	for (end += now_s(); now_s() < end; done++)
		if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) !=
			0 ||
		    waitpid(pid, NULL, 0) == -1)
			die("posix_spawn");
	return done;
}

static int
raw_run(const char *what, const char *dir, long seconds, long processes)
{
	uint64_t *done = mmap(NULL, sizeof *done * (size_t)processes,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t sum = 0;
	int status, failed = 0;

	if (done == MAP_FAILED)
		die("mmap");
	for (long nth = 0; nth < processes; nth++)
		if (fork() == 0) {
			done[nth] = (*what == 'j' ? raw_journal
				: *what == 'm'
				? raw_maildir
				: raw_exec)(dir, nth, (double)seconds);
			_exit(0);
		}
	while (wait(&status) > 0)
		failed += status != 0;
	for (long nth = 0; nth < processes; nth++)
		sum += done[nth];
	printf("per_s %.1f\n", (double)sum / (double)seconds);
	return failed == 0 ? 0 : 111;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "nothing") == 0)
		return 0;
	if (strcmp(what, "hold") == 0)
		hold();
	if (strcmp(what, "sink") == 0 && argc == 6)
		sink_run(argv[2], argv[3], number(argv[4]), number(argv[5]));
	if (strcmp(what, "spawn") == 0 && argc > 5)
		return spawn_run(
		    number(argv[2]), number(argv[3]), argv[4], argv + 5);
	if (strcmp(what, "pop3") == 0 && argc == 7)
		return pop3_run(number(argv[2]), argv + 3, number(argv[5]),
		    number(argv[6]));
	if (strcmp(what, "raw") == 0 && argc == 6)
		return raw_run(
		    argv[2], argv[3], number(argv[4]), number(argv[5]));
	fprintf(stderr, "usage: see the start of load.c\n");
	return 100;
}
