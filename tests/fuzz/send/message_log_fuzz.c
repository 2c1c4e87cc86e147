/* the log of qmail-send: whatever senders, recipients and reports say, each
   event is one line of printable bytes, and its words are those of its kind */
#include "../fuzz.h"

#include "send/message_log.h"

static size_t seen; /* bytes of lines that were looked at */

static void
check_line(const struct message_log *log, const char *start)
{
	struct span line = span_from(str_span(&log->lines), seen);

	require(line.len > strlen(start) && line.s[line.len - 1] == '\n');
	require(memcmp(line.s, start, strlen(start)) == 0);
	require(fuzz_is_printable(span_until(line, line.len - 1)));
	seen = log->lines.len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, part;
	struct message_log log;
	unsigned char kind;
	struct message_log_info info;

	if (size > 10000)
		return 0; /* the lines must not be flushed on the way */
	message_log_init(&log, -1);
	seen = 0;
	while (input.len > 0) {
		kind = fuzz_byte(&input);
		part = fuzz_until(&input, '\0');
		switch (kind % 3) {
		case 0:
			info =
			    (struct message_log_info){kind, size, 3, 4, part};
			message_log_info(&log, &info);
			check_line(&log, "info msg ");
			break;
		case 1:
			message_log_start(&log, size, kind,
			    kind & 4 ? CHANNEL_LOCAL : CHANNEL_REMOTE, part);
			check_line(&log, "starting delivery ");
			break;
		default:
			message_log_result(&log, kind, (char)kind, part);
			check_line(&log, "delivery ");
		}
	}
	str_free(&log.lines);
	return 0;
}
