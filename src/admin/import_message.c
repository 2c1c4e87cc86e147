#include "admin/import_message.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "mail/queue_file.h"
#include "net/submit.h"

enum {
	/* bytes of one message's addresses and failures, each address counting
	   for some more; qmail-queued takes as many */
	ENVELOPE_MAX = 64 * 1024 * 1024,
	ADDRESS_COST = 32,
	COPY_BYTES = 64 * 1024,
	CODE_ADDRESS = 11,
	CODE_ENVELOPE = 91,
};

/* The end of the year 9999: what comes behind has no date. */
#define TIME_MAX INT64_C(253402300799)

void
import_message_init(struct import_message *message)
{
	*message = (struct import_message){.todo = STR_INIT,
	    .info = STR_INIT,
	    .local = STR_INIT,
	    .remote = STR_INIT,
	    .failures = STR_INIT,
	    .trouble = STR_INIT};
}

void
import_message_free(struct import_message *message)
{
	str_free(&message->todo);
	str_free(&message->info);
	str_free(&message->local);
	str_free(&message->remote);
	str_free(&message->failures);
	str_free(&message->trouble);
}

/* ---- trouble ------------------------------------------------------------ */

static void
complain(struct import_message *message, const struct classic_file *file,
    const char *cause)
{
	struct str path = STR_INIT;

	classic_queue_path(&path, file);
	str_format(&message->trouble, "%s: %s", path.s, cause);
	str_free(&path);
}

static const char *
describe_error(int error)
{
	if (error == EFBIG)
		return "it is too big";
	if (error == EINVAL || error == ELOOP)
		return "it is not a regular file";
	return strerror(error);
}

/* ---- files -------------------------------------------------------------- */

static uint64_t
seconds_of(const struct stat *st)
{
	int64_t when_s = (int64_t)st->st_mtime;

	if (when_s < 0)
		return 0;
	return (uint64_t)(when_s > TIME_MAX ? TIME_MAX : when_s);
}

/* Reads a file that need not be there. */
static int
read_file(struct import_message *message, const struct classic_queue *queue,
    const struct classic_file *file, struct str *to, struct stat *st)
{
	int fd, result;

	str_clear(to);
	if (file == NULL)
		return 0;
	fd = classic_queue_open(queue, file, st);
	result = fd == -1 ? -1 : file_read_fd(fd, ENVELOPE_MAX, to);
	if (result == -1)
		complain(message, file, describe_error(errno));
	fd_close(fd);
	return result;
}

int
import_message_identify(struct import_message *message,
    const struct classic_queue *queue, const struct classic_message *files)
{
	const struct classic_file *mess = files->files[CLASSIC_MESS];
	struct stat st;
	int fd;

	message->number = files->number;
	message->size_bytes = message->mtime_s = 0;
	if (mess == NULL)
		return 0;
	fd = classic_queue_open(queue, mess, &st);
	if (fd == -1) {
		complain(message, mess, describe_error(errno));
		return -1;
	}
	fd_close(fd);
	message->size_bytes = (uint64_t)st.st_size;
	message->mtime_s = seconds_of(&st);
	return 0;
}

/* ---- what is left to do ------------------------------------------------- */

/* Counts recipients, and what their addresses cost in the envelope. */
static size_t
count_recipients(const struct str *file, uint64_t *cost)
{
	struct span rest = str_span(file), recipient;
	size_t count = 0;

	while (classic_next_recipient(&rest, &recipient) == 1) {
		count++;
		*cost += recipient.len + ADDRESS_COST;
	}
	return count;
}

static enum import_verdict
weigh(struct import_message *message, const struct classic_message *files)
{
	uint64_t cost = message->failures.len + message->sender.len;

	message->new_count = count_recipients(&message->todo, &cost);
	message->local_count = count_recipients(&message->local, &cost);
	message->remote_count = count_recipients(&message->remote, &cost);
	/* some more for the pieces in which the failures are sent */
	if (cost > ENVELOPE_MAX - 1024 * 1024) {
		complain(message, files->files[CLASSIC_MESS],
		    "it has too many recipients for one message");
		return IMPORT_TROUBLE;
	}
	if (message->new_count + message->local_count + message->remote_count ==
		0 &&
	    message->failures.len == 0)
		return IMPORT_FINISHED;
	return IMPORT_TAKE;
}

static enum import_verdict
read_new(struct import_message *message, const struct classic_queue *queue,
    const struct classic_message *files)
{
	const struct classic_file *file = files->files[CLASSIC_TODO];
	struct classic_todo todo;
	struct stat st;
	const char *bad;

	if (read_file(message, queue, file, &message->todo, &st) == -1)
		return IMPORT_TROUBLE;
	bad = classic_parse_todo(str_span(&message->todo), &todo);
	if (bad != NULL) {
		complain(message, file, bad);
		return IMPORT_TROUBLE;
	}
	message->uid = todo.uid;
	message->pid = todo.pid;
	message->sender = todo.sender;
	message->birth_s = seconds_of(&st);
	return weigh(message, files);
}

static int
read_channel(struct import_message *message, const struct classic_queue *queue,
    const struct classic_file *file, struct str *to)
{
	struct stat st;
	const char *bad;

	if (read_file(message, queue, file, to, &st) == -1)
		return -1;
	bad = classic_parse_channel(str_span(to));
	if (bad == NULL)
		return 0;
	complain(message, file, bad);
	return -1;
}

static enum import_verdict
read_old(struct import_message *message, const struct classic_queue *queue,
    const struct classic_message *files)
{
	const struct classic_file *info = files->files[CLASSIC_INFO];
	const struct classic_file *bounce = files->files[CLASSIC_BOUNCE];
	struct str text = STR_INIT;
	struct stat st, other;
	const char *bad;
	int result;

	if (read_file(message, queue, info, &message->info, &st) == -1)
		return IMPORT_TROUBLE;
	bad = classic_parse_info(str_span(&message->info), &message->sender);
	if (bad != NULL) {
		complain(message, info, bad);
		return IMPORT_TROUBLE;
	}
	message->birth_s = seconds_of(&st);
	if (read_channel(message, queue, files->files[CLASSIC_LOCAL],
		&message->local) == -1 ||
	    read_channel(message, queue, files->files[CLASSIC_REMOTE],
		&message->remote) == -1)
		return IMPORT_TROUBLE;
	result = read_file(message, queue, bounce, &text, &other);
	if (result == 0 && bounce != NULL)
		classic_mend_bounce(str_span(&text), &message->failures);
	str_free(&text);
	return result == -1 ? IMPORT_TROUBLE : weigh(message, files);
}

/* The first file that contradicts the others, and how; or NULL. */
static const struct classic_file *
find_contradiction(const struct classic_queue *queue,
    const struct classic_message *files, const char **cause)
{
	static const enum classic_kind later[] = {CLASSIC_TODO, CLASSIC_INFO,
	    CLASSIC_LOCAL, CLASSIC_REMOTE, CLASSIC_BOUNCE};

	for (int kind = 0; kind < CLASSIC_KINDS; kind++) {
		const struct classic_file *file = files->files[kind];

		if (file == NULL)
			continue;
		if (files->doubled) {
			*cause = "a file of this message is there twice";
			return file;
		}
		if (!classic_queue_is_in_place(queue, file)) {
			*cause = "it lies in the wrong directory";
			return file;
		}
	}
	if (files->files[CLASSIC_MESS] != NULL &&
	    (files->files[CLASSIC_TODO] != NULL ||
		files->files[CLASSIC_INFO] != NULL))
		return NULL;
	*cause = files->files[CLASSIC_MESS] == NULL
	    ? "its message is missing in mess"
	    : "its sender is missing in info";
	for (size_t i = 0; i < COUNT(later); i++) {
		if (files->files[later[i]] != NULL)
			return files->files[later[i]];
	}
	return NULL;
}

enum import_verdict
import_message_read(struct import_message *message,
    const struct classic_queue *queue, const struct classic_message *files)
{
	const struct classic_file *bad;
	const char *cause;

	message->uid = message->pid = 0;
	str_clear(&message->todo);
	str_clear(&message->local);
	str_clear(&message->remote);
	str_clear(&message->failures);
	bad = find_contradiction(queue, files, &cause);
	if (bad != NULL) {
		complain(message, bad, cause);
		return IMPORT_TROUBLE;
	}
	if (files->files[CLASSIC_TODO] == NULL &&
	    files->files[CLASSIC_INFO] == NULL)
		return IMPORT_NOT_ACCEPTED;
	if (message->size_bytes == 0) {
		/* every message begins with a Received line */
		complain(message, files->files[CLASSIC_MESS], "it is empty");
		return IMPORT_TROUBLE;
	}
	return files->files[CLASSIC_TODO] != NULL
	    ? read_new(message, queue, files)
	    : read_old(message, queue, files);
}

/* ---- into the queue ----------------------------------------------------- */

/* Copies the message; -1 if it cannot be read as it was identified. */
static int
copy_message(struct submit *submit, int fd, uint64_t size_bytes)
{
	static char buf[COPY_BYTES];

	for (;;) {
		ssize_t got = read(fd, buf, sizeof(buf));

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if ((uint64_t)got > size_bytes ||
		    (got == 0 && size_bytes > 0)) {
			errno = EAGAIN; /* somebody is at work there */
			return -1;
		}
		if (got == 0)
			return 0;
		submit_write(submit, buf, (size_t)got);
		size_bytes -= (uint64_t)got;
	}
}

static void
add_recipients(struct submit *submit, char letter, const struct str *file)
{
	struct span rest = str_span(file), recipient;

	while (classic_next_recipient(&rest, &recipient) == 1)
		submit_to_as(submit, letter, recipient);
}

static void
start(struct submit *submit, const struct import_message *message,
    struct span key)
{
	struct str origin = STR_INIT;

	str_append_span(&origin, key);
	str_append_char(&origin, '/');
	str_append_u64(&origin, message->number);
	str_append_char(&origin, '/');
	str_append_u64(&origin, message->size_bytes);
	str_append_char(&origin, '/');
	str_append_u64(&origin, message->mtime_s);
	submit_open_daemon(submit);
	submit_origin(
	    submit, message->uid, message->birth_s, str_span(&origin));
	submit_label(
	    submit, message->pid <= INT32_MAX ? (pid_t)message->pid : 0);
	str_free(&origin);
}

int
import_message_submit(struct import_message *message,
    const struct classic_queue *queue, const struct classic_message *files,
    struct span key)
{
	const struct classic_file *mess = files->files[CLASSIC_MESS];
	struct submit submit;
	struct stat st;
	int fd = classic_queue_open(queue, mess, &st), code;

	if (fd == -1) {
		complain(message, mess, describe_error(errno));
		return -1;
	}
	start(&submit, message, key);
	if (copy_message(&submit, fd, message->size_bytes) == -1) {
		complain(message, mess,
		    errno == EAGAIN ? "it changes while it is read"
				    : strerror(errno));
		fd_close(fd);
		submit_abort(&submit);
		return -1;
	}
	fd_close(fd);
	submit_from(&submit, message->sender);
	submit_failures(&submit, str_span(&message->failures));
	add_recipients(&submit, 'T', &message->todo);
	add_recipients(&submit, 'L', &message->local);
	add_recipients(&submit, 'R', &message->remote);
	code = submit_finish(&submit);
	if (code == CODE_ADDRESS || code == CODE_ENVELOPE) {
		complain(message, mess, "its envelope is not taken");
		code = -1;
	}
	str_free(&submit.text);
	return code;
}
