#include "local/maildir_deliver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "local/temporary.h"

enum {
	NAME_TRIES = 3,
	HOST_MAX = 63, /* bytes of the host name that are used */
};

static struct {
	uint64_t count; /* messages of this process */
	pid_t pid;      /* of it, or 0: not asked yet */
	char host[HOST_MAX + 1];
} maildir;

void
maildir_append_name(
    struct str *to, int64_t when_s, pid_t pid, uint64_t count, struct span host)
{
	str_append_format(to, "%lld.%lld", (long long)when_s, (long long)pid);
	if (count > 1) {
		str_append_char(to, '_');
		str_append_u64(to, count);
	}
	str_append_char(to, '.');
	for (size_t i = 0; i < host.len; i++) {
		/* no file name can hold a slash */
		if (host.s[i] == '/')
			str_append_cstr(to, "\\057");
		else
			str_append_char(to, host.s[i]);
	}
}

static int
learn_host(void)
{
	char name[256];

	/* no child of ours makes names: the number stays right */
	if (maildir.pid == 0)
		maildir.pid = getpid();
	if (maildir.host[0] != '\0')
		return 0;
	if (gethostname(name, sizeof(name)) == -1)
		return -1;
	name[sizeof(name) - 1] = '\0'; /* a cut name may lack it */
	name[HOST_MAX] = '\0';
	memcpy(maildir.host, name, sizeof(maildir.host));
	return 0;
}

int
maildir_append_next_name(struct str *to)
{
	if (learn_host() == -1)
		return -1;
	maildir_append_name(to, clock_now(), maildir.pid, ++maildir.count,
	    span_of(maildir.host));
	return 0;
}

/* What one delivery has made so far. */
struct attempt {
	const char *dir;
	struct str tmp, new; /* paths of the file */
	int fd;              /* tmp, or -1 */
	int new_dir;         /* the directory new, or -1 */
	bool in_tmp, in_new; /* the names that exist */
};

static int
make_paths(struct attempt *attempt)
{
	struct str name = STR_INIT;

	if (maildir_append_next_name(&name) == -1)
		return -1;
	str_format(&attempt->tmp, "%stmp/%s", attempt->dir, name.s);
	str_format(&attempt->new, "%snew/%s", attempt->dir, name.s);
	str_free(&name);
	return 0;
}

/* Opens a file in tmp that nobody has had before. */
static int
create_tmp(struct attempt *attempt)
{
	for (int tries = 0; tries < NAME_TRIES; tries++) {
		if (make_paths(attempt) == -1)
			return -1;
		attempt->fd =
		    fd_open(attempt->tmp.s, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (attempt->fd != -1) {
			attempt->in_tmp = true;
			return 0;
		}
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* Both parts in one call where that is possible. */
static int
write_both(int fd, struct span a, struct span b)
{
	struct iovec parts[2] = {
	    {(void *)(uintptr_t)a.s, a.len}, {(void *)(uintptr_t)b.s, b.len}};
	ssize_t put;
	size_t done;

	do
		put = writev(fd, parts, 2);
	while (put == -1 && errno == EINTR);
	if (put == -1)
		return -1;
	done = (size_t)put;
	if (done < a.len) {
		if (fd_write_all(fd, a.s + done, a.len - done) == -1)
			return -1;
		done = a.len;
	}
	done -= a.len;
	return fd_write_all(fd, b.s + done, b.len - done);
}

static int
write_file(int fd, struct span head, struct message *message)
{
	int64_t end_ms = clock_mono_ms() + MAILDIR_TIME_MAX * INT64_C(1000);
	struct span chunk;
	int got;

	message_rewind(message);
	while ((got = message_next(message, &chunk)) == 1) {
		if (write_both(fd, head, chunk) == -1)
			return -1;
		head.len = 0;
		if (clock_mono_ms() > end_ms) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	if (got == -1)
		return -1;
	return fd_write_all(fd, head.s, head.len); /* an empty message */
}

/*
 * A crash after step 1 or 2 leaves a file in tmp, which mail readers clear away
 * after 36 hours; after 3 the message may be there, and comes once more.
 */
static int
deliver(struct attempt *attempt, struct span head, struct message *message)
{
	int fd;

	/* 1. a file in tmp */
	if (create_tmp(attempt) == -1 ||
	    write_file(attempt->fd, head, message) == -1)
		return -1;
	/* 2. its bytes are on the disk */
	if (fsync(attempt->fd) == -1)
		return -1;
	fd = attempt->fd;
	attempt->fd = -1;
	if (close(fd) == -1)
		return -1;
	/* 3. visible; link, because rename would replace a file */
	if (link(attempt->tmp.s, attempt->new.s) == -1)
		return -1;
	attempt->in_new = true;
	/* before the sync, so that one commit takes both changes; a name that
	   stays in tmp does no harm */
	(void)unlink(attempt->tmp.s);
	attempt->in_tmp = false;
	/* 4. the name is on the disk too; EINVAL: a file system that cannot
	   sync a directory, where nothing more can be done */
	return fsync(attempt->new_dir) == 0 || errno == EINVAL ? 0 : -1;
}

static int
explain(const char *dir, int error, struct report *report)
{
	struct stat st;
	const char *status = "4.3.0";

	if (stat(dir, &st) == -1) {
		error = errno;
		if (!temporary_error(error))
			status = "4.2.1";
	}
	return report_temp(report, "Unable to deliver to maildir %s: %s. (#%s)",
	    quote(dir), strerror(error), status);
}

int
maildir_deliver(const char *dir, struct span head, struct message *message,
    struct report *report)
{
	struct attempt attempt = {
	    .dir = dir, .tmp = STR_INIT, .new = STR_INIT, .fd = -1};
	int result = EXIT_OK;

	str_format(&attempt.new, "%snew", dir);
	attempt.new_dir = fd_open(attempt.new.s, O_RDONLY | O_DIRECTORY, 0);
	if (attempt.new_dir == -1 || deliver(&attempt, head, message) == -1) {
		int error = errno;

		/* the message comes again: leave no second copy of it */
		if (attempt.in_new)
			(void)unlink(attempt.new.s);
		if (attempt.in_tmp)
			(void)unlink(attempt.tmp.s);
		result = explain(dir, error, report);
	}
	fd_close(attempt.fd);
	fd_close(attempt.new_dir);
	str_free(&attempt.tmp);
	str_free(&attempt.new);
	return result;
}
