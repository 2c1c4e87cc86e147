#include "pop3/mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/sandbox.h"
#include "pop3/pop3_text.h"

enum {
	PREFIX_LEN = 4, /* strlen("new/") */
};

int
mailbox_enter(const char *path)
{
	static const struct sandbox rights = {
	    .write = {"."},
	};

	if (chdir(path) == -1)
		return -1;
	sandbox_enter(&rights);
	return 0;
}

void
mailbox_clean_tmp(int64_t now_s)
{
	DIR *dir = opendir("tmp");
	struct dirent *entry;
	struct stat st;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &st,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) &&
		    now_s - (int64_t)st.st_atime > MAILBOX_TMP_MAX_S)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	    (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

static void
add_message(struct mailbox *mailbox, const char *subdir, const char *name,
    struct timespec mtime)
{
	if (mailbox->count == mailbox->room) {
		mailbox->room += mailbox->room / 2 + 64;
		mailbox->messages = mem_resize(mailbox->messages, mailbox->room,
		    sizeof(*mailbox->messages));
	}
	mailbox->messages[mailbox->count++] = (struct mailbox_message){
	    .mtime = mtime, .name = mailbox->names.len};
	str_append_cstr(&mailbox->names, subdir);
	str_append_char(&mailbox->names, '/');
	str_append_cstr(&mailbox->names, name);
	str_append_char(&mailbox->names, '\0');
}

static int
scan_subdir(
    struct mailbox *mailbox, const char *subdir, const struct timespec *now)
{
	DIR *dir = opendir(subdir);
	struct dirent *entry = NULL;
	struct stat st;
	int error = 0;

	if (dir == NULL)
		return -1;
	while (mailbox->count < MAILBOX_MESSAGES_MAX) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			error = errno;
			break;
		}
		if (entry->d_name[0] == '.')
			continue;
		/* a file that is gone by now is no error */
		if (fstatat(dirfd(dir), entry->d_name, &st,
			AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && is_before(&st.st_mtim, now))
			add_message(mailbox, subdir, entry->d_name, st.st_mtim);
	}
	closedir(dir);
	errno = error;
	return error == 0 ? 0 : -1;
}

static int
compare_messages(const void *left, const void *right)
{
	const struct mailbox_message *a = left, *b = right;

	if (is_before(&a->mtime, &b->mtime))
		return -1;
	if (is_before(&b->mtime, &a->mtime))
		return 1;
	return strcmp(a->path + PREFIX_LEN, b->path + PREFIX_LEN);
}

int
mailbox_scan(struct mailbox *mailbox)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) == -1)
		return -1;
	/* new/ first: a file that is moved meanwhile is then seen twice
	   rather than never, and one of the two can be opened */
	if (scan_subdir(mailbox, "new", &now) == -1 ||
	    scan_subdir(mailbox, "cur", &now) == -1)
		return -1;
	for (size_t i = 0; i < mailbox->count; i++)
		mailbox->messages[i].path =
		    mailbox->names.s + mailbox->messages[i].name;
	if (mailbox->count > 0)
		qsort(mailbox->messages, mailbox->count,
		    sizeof(*mailbox->messages), compare_messages);
	return 0;
}

void
mailbox_free(struct mailbox *mailbox)
{
	free(mailbox->messages);
	str_free(&mailbox->names);
	*mailbox = (struct mailbox)MAILBOX_INIT;
}

int
mailbox_open(const struct mailbox *mailbox, size_t index)
{
	struct stat st;
	/* O_NONBLOCK: should a FIFO have taken its place */
	int fd = open(mailbox->messages[index].path,
	    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		goto fail;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		goto fail;
	}
	return fd;
fail:
	fd_close(fd);
	return -1;
}

uint64_t
mailbox_octets(struct mailbox *mailbox, size_t index)
{
	struct mailbox_message *message = &mailbox->messages[index];
	struct pop3_octets octets;
	char buf[32768];
	ssize_t got = -1;
	int fd;

	if (message->is_counted)
		return message->octets;
	pop3_octets_init(&octets);
	fd = mailbox_open(mailbox, index);
	if (fd != -1) {
		while ((got = read(fd, buf, sizeof(buf))) > 0)
			pop3_octets_add(
			    &octets, (struct span){buf, (size_t)got});
		fd_close(fd);
	}
	message->octets = got == 0 ? pop3_octets_total(&octets) : 0;
	message->is_counted = true;
	return message->octets;
}

size_t
mailbox_total(struct mailbox *mailbox, uint64_t *octets)
{
	size_t count = 0;

	*octets = 0;
	for (size_t i = 0; i < mailbox->count; i++) {
		if (mailbox->messages[i].is_deleted)
			continue;
		count++;
		*octets += mailbox_octets(mailbox, i);
	}
	return count;
}

size_t
mailbox_deleted(const struct mailbox *mailbox)
{
	size_t deleted = 0;

	for (size_t i = 0; i < mailbox->count; i++)
		deleted += mailbox->messages[i].is_deleted;
	return deleted;
}

struct span
mailbox_uid(const struct mailbox *mailbox, size_t index)
{
	struct span name = span_of(mailbox->messages[index].path + PREFIX_LEN);
	size_t colon = span_find(name, ':');

	return colon == SPAN_NONE ? name : span_until(name, colon);
}

size_t
mailbox_commit(struct mailbox *mailbox)
{
	struct str target = STR_INIT;
	size_t failed = 0;

	for (size_t i = 0; i < mailbox->count; i++) {
		const char *path = mailbox->messages[i].path;

		if (mailbox->messages[i].is_deleted) {
			if (unlink(path) == -1)
				failed++;
		} else if (path[0] == 'n') {
			str_format(&target, "cur/%s%s", path + PREFIX_LEN,
			    strchr(path, ':') == NULL ? ":2," : "");
			/* who moved or removed it meanwhile is right too */
			(void)rename(path, target.s);
		}
	}
	str_free(&target);
	return failed;
}
