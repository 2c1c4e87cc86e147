/*
 * maildir2mbox - move the messages of a maildir into an mbox file
 * Runs as: the invoking user            Trusts: its environment
 * Reads:   the maildir MAILDIR, the mbox MAIL
 * Writes:  the mbox, through the file MAILTMP; removes what it has moved
 * Exit:    0 all are moved, or there was none; 111 failed, safe to run again
 *
 * Until the new mbox is on the disk under its name, nothing is removed. A crash
 * between that and the end leaves messages in both places, never in none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h> /* rename */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "base/str.h"
#include "local/glance.h"
#include "local/maildir_list.h"
#include "local/mbox_deliver.h"
#include "local/mbox_lock.h"
#include "local/message.h"
#include "local/tool.h"

static struct {
	const char *maildir, *mail, *tmp; /* the three variables */
	bool has_tmp;                     /* the file at tmp is ours */
} job;

static const char *
variable(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0')
		die_temp("fatal: %s is not set", name);
	return value;
}

/* Removes what is half made. Keeps errno. */
static void
give_up(void)
{
	int error = errno;

	if (job.has_tmp)
		(void)unlink(job.tmp); /* the next run removes it otherwise */
	errno = error;
}

static NORETURN void
fail(const char *what, const char *path)
{
	give_up();
	die_sys("fatal: cannot %s %s", what, quote(path));
}

static int
lock_mbox(void)
{
	int fd;

	/* O_NOFOLLOW: the rename would replace a link, not what it names */
	switch (mbox_lock_open(job.mail, O_RDWR | O_CREAT | O_NOFOLLOW, &fd)) {
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
		break;
	}
	die_sys("fatal: cannot open %s", quote(job.mail));
}

/* A new file at MAILTMP. What a run before us left there goes; nobody else
   writes it, since we have the lock. */
static int
create_tmp(const struct stat *mbox)
{
	struct stat st;
	int fd;

	if (lstat(job.tmp, &st) == 0) {
		if (!S_ISREG(st.st_mode) ||
		    (st.st_dev == mbox->st_dev && st.st_ino == mbox->st_ino))
			die_temp("fatal: MAILTMP is %s, which is not a file to "
				 "be replaced",
			    quote(job.tmp));
		if (unlink(job.tmp) == -1)
			fail("remove", job.tmp);
	} else if (errno != ENOENT) {
		fail("create", job.tmp);
	}
	fd = open(job.tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		fail("create", job.tmp);
	job.has_tmp = true;
	/* whoever finds it under the name of the mbox waits until we are done
	 */
	if (mbox_lock_try(fd) != MBOX_LOCKED)
		fail("lock", job.tmp);
	return fd;
}

/* Copies the mbox as it is. */
static void
copy_mbox(int from, int to)
{
	static char buf[MESSAGE_CHUNK];
	char last = '\n';

	for (;;) {
		ssize_t got = read(from, buf, sizeof(buf));

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			fail("read", job.mail);
		if (got == 0)
			break;
		if (fd_write_all(to, buf, (size_t)got) == -1)
			fail("write", job.tmp);
		last = buf[got - 1];
	}
	/* the end of a message that a crash has cut: ours starts behind it */
	if (last != '\n' && fd_write_all(to, "\n\n", 2) == -1)
		fail("write", job.tmp);
}

/* The From_ line: sender of the Return-Path, time of the file. */
static void
append_from_line(
    struct str *to, const struct glance *glance, const struct stat *st)
{
	struct span sender = glance_path(str_span(&glance->return_path));

	if (!glance->has_return_path)
		sender = SPAN_LITERAL("XXX");
	else if (sender.len == 0)
		sender = SPAN_LITERAL("MAILER-DAEMON");
	str_append_cstr(to, "From ");
	for (size_t i = 0; i < sender.len; i++) {
		char byte = sender.s[i];

		if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r')
			byte = '-';
		str_append_char(to, byte);
	}
	str_append_char(to, ' ');
	clock_append_mbox(to, (int64_t)st->st_mtime);
	str_append_char(to, '\n');
}

/* True if the message is in the new mbox; false if a mail reader has taken it
   away meanwhile, so that it is not ours to move. */
static bool
add_message(int to, const char *path)
{
	static struct message message;
	struct glance glance = GLANCE_INIT;
	struct str line = STR_INIT;
	struct stat st;
	int fd = open(
	    path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT)
		return false;
	if (fd == -1 || fstat(fd, &st) == -1 || glance_read(&glance, fd) == -1)
		fail("read", path);
	append_from_line(&line, &glance, &st);
	message_init(&message, fd);
	if (mbox_write_message(to, str_span(&line), &message) == -1)
		fail("copy", path);
	fd_close(fd);
	glance_free(&glance);
	str_free(&line);
	return true;
}

/* Owner, group and mode as before, so that who could read it still can. */
static void
keep_rights(int fd, const struct stat *old)
{
	mode_t mode = old->st_mode & 0777;

	/* a group that we may not give away must not mean ours */
	if (fchown(fd, old->st_uid, old->st_gid) == -1)
		mode &= (mode_t)~070;
	if (fchmod(fd, mode) == -1)
		fail("set the mode of", job.tmp);
}

/* Puts the new file in the place of the old one, for good. */
static void
replace_mbox(int fd)
{
	if (fsync(fd) == -1)
		fail("write", job.tmp);
	if (rename(job.tmp, job.mail) == -1)
		fail("replace", job.mail);
	job.has_tmp = false;
	if (dir_sync_parent(job.mail) == 0)
		return;
	/* A directory that we may not read, or that cannot be synced: a journal
	   has the name when it has what the file is called now. */
	if ((errno != EACCES && errno != EINVAL) || fsync(fd) == -1)
		die_sys(
		    "fatal: cannot sync the directory of %s", quote(job.mail));
}

static void
swap(struct maildir_file *a, struct maildir_file *b)
{
	struct maildir_file keep = *a;

	*a = *b;
	*b = keep;
}

int
main(void)
{
	struct maildir_list list = MAILDIR_LIST_INIT;
	size_t moved = 0;
	int old, new, code = EXIT_OK;
	struct stat st;

	tool_init("maildir2mbox");
	job.maildir = variable("MAILDIR");
	job.mail = variable("MAIL");
	job.tmp = variable("MAILTMP");
	if (maildir_list_add(&list, job.maildir, "new") == -1 ||
	    maildir_list_add(&list, job.maildir, "cur") == -1)
		die_sys("fatal: cannot read %s", quote(job.maildir));
	if (list.count == 0)
		return EXIT_OK;
	maildir_list_sort(&list);
	/* 1. the lock, and a copy with our messages behind it */
	old = lock_mbox();
	if (fstat(old, &st) == -1)
		fail("read", job.mail);
	new = create_tmp(&st);
	copy_mbox(old, new);
	for (size_t i = 0; i < list.count; i++) {
		if (!add_message(new, list.files[i].path))
			continue;
		swap(&list.files[moved++], &list.files[i]);
	}
	if (moved == 0) {
		give_up();
		maildir_list_free(&list);
		return EXIT_OK;
	}
	/* 2. the copy has the name of the mbox, for good */
	keep_rights(new, &st);
	replace_mbox(new);
	/* 3. only now the messages go; what stays comes once more */
	for (size_t i = 0; i < moved; i++) {
		if (unlink(list.files[i].path) == -1 && errno != ENOENT) {
			warn_sys("cannot remove %s", quote(list.files[i].path));
			code = EXIT_TEMP;
		}
	}
	maildir_list_free(&list);
	return code;
}
