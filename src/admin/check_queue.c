#include "admin/check_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/queue_view.h"
#include "base/fd.h"
#include "base/mem.h"

enum {
	BOUNCE_MAX = 1024 * 1024 * 1024, /* bytes that are read */
	SETTLE_MS = 1000, /* after which qmail-queued is done with a change */
};

/* The files of one message, at one moment. */
struct files {
	struct str env, done, bounce;
};

static void
read_one(struct check_report *report, int queue_dir, uint64_t id,
    struct files *files)
{
	struct check_message message = {.id = id};
	struct str path = STR_INIT;
	struct stat st;
	int env, done, bounce;

	queue_file_path(&path, QUEUE_MESS, id);
	env = queue_view_read(
	    queue_dir, QUEUE_ENV, id, QUEUE_VIEW_ENV_MAX, &files->env);
	done = queue_view_read(
	    queue_dir, QUEUE_DONE, id, QUEUE_VIEW_DONE_MAX, &files->done);
	bounce = queue_view_read(
	    queue_dir, QUEUE_BOUNCE, id, BOUNCE_MAX, &files->bounce);
	message.has_mess =
	    fstatat(queue_dir, path.s, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode);
	message.mess_bytes = message.has_mess ? (uint64_t)st.st_size : 0;
	message.env = str_span(&files->env);
	if (done == 1)
		message.done = str_span(&files->done);
	if (bounce == 1)
		message.bounce = str_span(&files->bounce);
	if (env == -1 || done == -1 || bounce == -1)
		check_report_trouble(report, path.s, errno);
	/* It may have ended meanwhile: env goes last. */
	else if (env == 1 && queue_view_has(queue_dir, QUEUE_ENV, id))
		check_message(report, &message);
	str_free(&path);
}

/* What looks wrong may be a change that is going on, so it is looked at once
   more, a while later. */
static void
check_messages(struct check_report *report, int queue_dir)
{
	struct files files = {STR_INIT, STR_INIT, STR_INIT};
	struct check_report first = CHECK_REPORT_INIT;
	size_t count, suspects = 0;
	uint64_t *ids;

	if (queue_view_list(queue_dir, &ids, &count) == -1) {
		check_report_trouble(report, "queue/env", errno);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		read_one(&first, queue_dir, ids[i], &files);
		if (first.finding_count + first.trouble_count > 0)
			ids[suspects++] = ids[i];
		check_report_free(&first);
	}
	if (suspects > 0)
		(void)poll(NULL, 0, SETTLE_MS); /* shorter is as good */
	for (size_t i = 0; i < suspects; i++)
		read_one(report, queue_dir, ids[i], &files);
	str_free(&files.env);
	str_free(&files.done);
	str_free(&files.bounce);
	free(ids);
}

static void
check_damaged(struct check_report *report, int queue_dir)
{
	static const struct check_advice advice = {
	    "what was left of a message lies there, and is not delivered",
	    "see qmail-queued's log and the file; move it away when done"};
	struct str path = STR_INIT;
	const struct dirent *entry;
	int fd = openat(queue_dir, "damaged",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);

	if (dir == NULL) {
		if (errno != ENOENT)
			check_report_trouble(report, "queue/damaged", errno);
		fd_close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		str_format(&path, "queue/damaged/%s", entry->d_name);
		check_report_add(
		    report, advice, path.s, 0, "a damaged file was set aside");
	}
	(void)closedir(dir); /* only read */
	str_free(&path);
}

void
check_queue(struct check_report *report)
{
	int fd = queue_view_open();

	if (fd == -1) {
		check_report_trouble(report, "queue", errno);
		return;
	}
	check_messages(report, fd);
	check_damaged(report, fd);
	fd_close(fd);
}
