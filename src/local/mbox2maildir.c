/*
 * mbox2maildir - move the messages of an mbox file into a maildir
 * Runs as: the invoking user            Trusts: its environment
 * Reads:   the mbox MAIL
 * Writes:  the maildir MAILDIR; empties the mbox
 * Exit:    0 all are moved, or there was none; 111 failed, safe to run again
 *
 * No message shows in the maildir before all of them are on the disk, and the
 * mbox keeps them until all of them show. After a failure nothing is left in
 * the maildir; after a crash in the moment in between, messages are in both.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/in.h"
#include "base/mem.h"
#include "base/str.h"
#include "local/maildir_deliver.h"
#include "local/mbox_lock.h"
#include "local/mbox_split.h"
#include "local/tool.h"

enum {
	PIECE = 64 * 1024, /* bytes of a line at a time */
};

static struct {
	const char *mail, *maildir; /* the two variables */
	struct str *names;          /* of the files that were made */
	size_t count, room;
	size_t in_tmp, in_new; /* names from in_tmp on are in tmp; those before
				  in_new are in new */
	struct str path;       /* of the file at work */
	int fd;                /* it, or -1 */
	bool has_time;
	int64_t when_s;
	struct str out; /* what it gets next */
} job = {.path = STR_INIT, .fd = -1, .out = STR_INIT};

static const char *
path_of(const char *part, size_t index)
{
	str_format(
	    &job.path, "%s/%s/%s", job.maildir, part, job.names[index].s);
	return job.path.s;
}

/* Removes what was made: the mbox has it all. Keeps errno. */
static void
give_up(void)
{
	int error = errno;

	for (size_t i = job.in_tmp; i < job.count; i++)
		(void)unlink(path_of("tmp", i)); /* readers clear tmp too */
	for (size_t i = 0; i < job.in_new; i++)
		(void)unlink(path_of("new", i)); /* else it comes twice */
	errno = error;
}

static NORETURN void
fail(const char *what, const char *path)
{
	struct str text = STR_INIT;

	str_append_cstr(&text, quote(path)); /* path is often job.path */
	give_up();
	die_sys("fatal: cannot %s %s", what, text.s);
}

static const char *
variable(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0')
		die_temp("fatal: %s is not set", name);
	return value;
}

/* The mbox under its lock, or -1 if there is none. */
static int
lock_mbox(void)
{
	int fd;

	switch (mbox_lock_open(job.mail, O_RDWR, &fd)) {
	case MBOX_LOCKED:
		return fd;
	case MBOX_NO_LOCKS:
		die_sys("fatal: cannot lock %s", quote(job.mail));
	case MBOX_BUSY:
		die_temp("fatal: cannot lock %s: another program keeps it",
		    quote(job.mail));
	case MBOX_NO_MBOX:
		die_temp("fatal: %s is not a regular file", quote(job.mail));
	case MBOX_NO_FILE:
		if (errno == ENOENT)
			return -1;
		break;
	}
	die_sys("fatal: cannot open %s", quote(job.mail));
}

static void
write_out(void)
{
	if (fd_write_all(job.fd, job.out.s, job.out.len) == -1)
		fail("write", job.path.s);
	str_clear(&job.out);
}

/* The message at work is complete: brings it to the disk, with its time. */
static void
finish_message(void)
{
	struct timespec times[2];
	int fd = job.fd;

	if (fd == -1)
		return;
	write_out();
	times[0] = times[1] = (struct timespec){(time_t)job.when_s, 0};
	if ((job.has_time && futimens(fd, times) == -1) || fsync(fd) == -1)
		fail("write", job.path.s);
	job.fd = -1;
	if (close(fd) == -1)
		fail("write", job.path.s);
}

/* Opens a file in tmp for the message behind this From_ line. */
static void
start_message(struct span line)
{
	if (job.count == job.room) {
		job.room = job.room * 2 + 16;
		job.names = mem_resize(job.names, job.room, sizeof(*job.names));
	}
	job.names[job.count] = (struct str)STR_INIT;
	if (maildir_append_next_name(&job.names[job.count]) == -1)
		fail("name", job.maildir);
	job.fd = open(path_of("tmp", job.count),
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (job.fd == -1)
		fail("create", job.path.s);
	job.count++;
	job.has_time = mbox_from_time(line, &job.when_s);
}

/* 1. every message is a file in tmp. Returns how long the mbox was. */
static off_t
split_mbox(int mbox)
{
	static char buf[PIECE];
	struct mbox_split split = MBOX_SPLIT_INIT;
	struct str piece = STR_INIT;
	struct in in;
	off_t size = 0;
	int got;

	in_init(&in, mbox, 0, buf, sizeof(buf));
	while ((got = in_line(&in, &piece, PIECE)) == 1 || got == IN_TOO_LONG) {
		size += (off_t)piece.len;
		switch (mbox_split_feed(&split, str_span(&piece), &job.out)) {
		case MBOX_PIECE_START:
			finish_message();
			start_message(str_span(&piece));
			break;
		case MBOX_PIECE_WRONG:
			die_temp("fatal: %s is not an mbox: it does not start "
				 "with From",
			    quote(job.mail));
		case MBOX_PIECE_DATA:
			if (job.out.len >= PIECE)
				write_out();
			break;
		}
	}
	if (got == IN_ERROR)
		fail("read", job.mail);
	mbox_split_end(&split, &job.out);
	finish_message();
	str_free(&piece);
	return size;
}

/* 2. they show in new; link, because rename would replace a file */
static void
show_messages(void)
{
	struct str from = STR_INIT;

	for (size_t i = 0; i < job.count; i++) {
		str_format(&from, "%s/tmp/%s", job.maildir, job.names[i].s);
		if (link(from.s, path_of("new", i)) == -1)
			fail("create", job.path.s);
		job.in_new = i + 1;
		(void)unlink(from.s); /* a name in tmp does no harm */
		job.in_tmp = i + 1;
	}
	str_format(&from, "%s/new", job.maildir);
	/* EINVAL: a file system that cannot sync a directory */
	if (dir_sync(from.s) == -1 && errno != EINVAL)
		fail("sync", from.s);
	str_free(&from);
}

/* 3. only now the mbox lets go of them */
static void
empty_mbox(int mbox, off_t size)
{
	struct stat st;

	if (fstat(mbox, &st) == -1)
		fail("read", job.mail);
	if (st.st_size != size) {
		give_up();
		die_temp("fatal: somebody writes to %s without the lock",
		    quote(job.mail));
	}
	if (ftruncate(mbox, 0) == -1)
		fail("empty", job.mail);
	if (fsync(mbox) == -1) /* at worst they come twice */
		die_sys("fatal: cannot sync %s", quote(job.mail));
}

int
main(void)
{
	int mbox;
	off_t size;

	tool_init("mbox2maildir");
	job.mail = variable("MAIL");
	job.maildir = variable("MAILDIR");
	mbox = lock_mbox();
	if (mbox == -1)
		return EXIT_OK;
	size = split_mbox(mbox);
	if (size > 0) {
		show_messages();
		empty_mbox(mbox, size);
	}
	for (size_t i = 0; i < job.count; i++)
		str_free(&job.names[i]);
	free(job.names);
	str_free(&job.path);
	str_free(&job.out);
	return EXIT_OK;
}
