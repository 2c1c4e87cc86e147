#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "admin/qtool.h"
#include "admin/queue_view.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/in.h"
#include "base/out.h"
#include "base/str.h"
#include "mail/queue_file.h"

enum {
	LINE_MAX_BYTES = 1024 * 1024, /* longer ones come in pieces */
};

static struct {
	struct out out;
	char out_buffer[16384], in_buffer[16384];
} show;

/* ---- the envelope ------------------------------------------------------- */

static bool
is_done(const struct str *done, size_t index)
{
	return index < done->len &&
	    (done->s[index] == 'D' || done->s[index] == 'F');
}

/* As in the log: nothing that a terminal obeys. */
static void
put_safe(struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char byte = bytes.s[i];

		if (byte < 33 || byte > 126)
			byte = '_';
		out_write(&show.out, &byte, 1);
	}
}

static void
put_number(const char *name, uint64_t value)
{
	out_cstr(&show.out, name);
	out_u64(&show.out, value);
	out_cstr(&show.out, "\n");
}

static void
put_envelope(int queue_dir, uint64_t id)
{
	struct queue_envelope envelope;
	struct str env = STR_INIT, done = STR_INIT;
	struct span rest, recipient;
	int found =
	    queue_view_read(queue_dir, QUEUE_ENV, id, QUEUE_VIEW_ENV_MAX, &env);

	if (found == -1)
		die_sys("cannot read the envelope");
	if (found == 0 ||
	    queue_envelope_decode(str_span(&env), &envelope) == -1)
		die_temp("the envelope is damaged or gone");
	if (queue_view_read(
		queue_dir, QUEUE_DONE, id, QUEUE_VIEW_DONE_MAX, &done) == -1)
		die_sys("cannot read which recipients are done");
	put_number("message: ", id);
	put_number("uid: ", envelope.uid);
	put_number("qp: ", envelope.qp);
	put_number("time: ", envelope.birth_s);
	put_number("bytes: ", envelope.size_bytes);
	out_cstr(&show.out, "sender: ");
	put_safe(envelope.sender);
	out_cstr(&show.out, "\n");
	rest = envelope.recipients;
	for (size_t i = 0; queue_envelope_next(&rest, &recipient) == 1; i++) {
		out_cstr(&show.out, "recipient: ");
		put_safe(recipient);
		if (is_done(&done, i))
			out_cstr(&show.out,
			    done.s[i] == 'D' ? " delivered" : " failed");
		out_cstr(&show.out, "\n");
	}
	str_free(&env);
	str_free(&done);
}

/* ---- header, message ---------------------------------------------------- */

static void
put_message(int fd, bool header_only)
{
	struct in in;
	struct str line = STR_INIT;
	bool starts = true; /* not in the middle of a long line */
	int got;

	in_init(&in, fd, 0, show.in_buffer, sizeof(show.in_buffer));
	while ((got = in_line(&in, &line, LINE_MAX_BYTES)) == 1 ||
	    got == IN_TOO_LONG) {
		if (header_only && starts && span_is(str_span(&line), "\n"))
			break;
		out_span(&show.out, str_span(&line));
		starts = got == 1;
	}
	if (got == IN_ERROR)
		die_sys("cannot read the message");
	str_free(&line);
}

int
qtool_show(int argc, char **argv)
{
	struct str path = STR_INIT;
	uint64_t id;
	int queue_dir, fd;
	char part = 'e';

	if (argc == 3 && argv[2][0] == '-' && argv[2][1] != '\0' &&
	    strchr("ehm", argv[2][1]) != NULL && argv[2][2] == '\0')
		part = argv[2][1];
	else if (argc != 2)
		qtool_usage("show ID [-e | -h | -m]");
	id = qtool_parse_id(argv[1]);
	queue_dir = qtool_open_queue();
	queue_file_path(&path, QUEUE_MESS, id);
	fd = openat(
	    queue_dir, path.s, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1 && errno == ENOENT) {
		warn_plain("there is no message %s", quote(argv[1]));
		return QTOOL_NO_MATCH;
	}
	if (fd == -1)
		die_sys("cannot open the message");
	out_init(&show.out, 1, 0, show.out_buffer, sizeof(show.out_buffer));
	if (part == 'e')
		put_envelope(queue_dir, id);
	else
		put_message(fd, part == 'h');
	if (out_flush(&show.out) == -1)
		die_sys("cannot write");
	fd_close(fd);
	str_free(&path);
	return EXIT_OK;
}
