#include "local/message.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void
message_init(struct message *message, int fd)
{
	message->fd = fd;
	message->next = 0;
	message->start = 0;
	message->len = 0;
	message->at_end = false;
	message->is_read = false;
}

void
message_rewind(struct message *message)
{
	message->next = 0;
}

/* Fills the buffer from offset next. */
static int
read_chunk(struct message *message)
{
	message->is_read = false;
	message->at_end = false;
	message->start = message->next;
	message->len = 0;
	while (message->len < MESSAGE_CHUNK) {
		ssize_t got = pread(message->fd, message->buf + message->len,
		    MESSAGE_CHUNK - message->len,
		    message->start + (off_t)message->len);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return -1;
		if (got == 0) {
			message->at_end = true;
			break;
		}
		message->len += (size_t)got;
	}
	message->is_read = true;
	return 0;
}

int
message_next(struct message *message, struct span *chunk)
{
	if (message->is_read && message->at_end &&
	    message->next == message->start + (off_t)message->len)
		return 0;
	if (!message->is_read || message->next != message->start) {
		if (read_chunk(message) == -1)
			return -1;
		if (message->len == 0)
			return 0;
	}
	*chunk = (struct span){message->buf, message->len};
	message->next += (off_t)message->len;
	return 1;
}

/* Where in a line the scan is. */
struct header_scan {
	struct span want;
	size_t column; /* bytes of this line that were seen */
	bool same;     /* so far they equal those of want */
};

enum {
	SCAN_MORE,
	SCAN_FOUND,
	SCAN_END, /* the header is over */
};

static int
scan_chunk(struct header_scan *scan, struct span chunk)
{
	while (chunk.len > 0) {
		size_t lf = span_find(chunk, '\n');
		size_t len = lf == SPAN_NONE ? chunk.len : lf + 1;

		if (lf == 0 && scan->column == 0)
			return SCAN_END;
		if (len > scan->want.len - scan->column)
			scan->same = false;
		if (scan->same) {
			scan->same = memcmp(chunk.s,
					 scan->want.s + scan->column, len) == 0;
			scan->column += len;
		} else {
			/* any number but 0 will do: the line is not empty */
			scan->column = scan->want.len;
		}
		if (lf != SPAN_NONE) {
			if (scan->same && scan->column == scan->want.len)
				return SCAN_FOUND;
			scan->column = 0;
			scan->same = true;
		}
		chunk = span_from(chunk, len);
	}
	return SCAN_MORE;
}

int
message_has_header_line(struct message *message, struct span line)
{
	struct header_scan scan = {line, 0, true};
	struct span chunk;
	int got, state = SCAN_MORE;

	message_rewind(message);
	while ((got = message_next(message, &chunk)) == 1) {
		state = scan_chunk(&scan, chunk);
		if (state != SCAN_MORE)
			break;
	}
	if (got == -1)
		return -1;
	return state == SCAN_FOUND;
}

int
message_seek_start(struct message *message)
{
	return lseek(message->fd, 0, SEEK_SET) == -1 ? -1 : 0;
}
