#include "send/message_log.h"

#include <stdio.h>

#include "base/fd.h"
#include "mail/address.h"

enum {
	KEEP_MAX = 64 * 1024, /* bytes collected before they are written */
};

void
message_log_init(struct message_log *log, int fd)
{
	*log = (struct message_log){fd, STR_INIT};
}

void
message_log_flush(struct message_log *log)
{
	/* a log that cannot be written must not stop the mail */
	if (log->lines.len > 0)
		(void)!fd_write_all(log->fd, log->lines.s, log->lines.len);
	str_clear(&log->lines);
}

static void
add_text(struct message_log *log, const char *text)
{
	str_append_cstr(&log->lines, text);
}

static void
add_number(struct message_log *log, const char *before, uint64_t number)
{
	add_text(log, before);
	str_append_u64(&log->lines, number);
}

static void
end_line(struct message_log *log, const char *text)
{
	add_text(log, text);
	str_append_char(&log->lines, '\n');
	if (log->lines.len >= KEEP_MAX)
		message_log_flush(log);
}

void
message_log_new(struct message_log *log, uint64_t id)
{
	add_number(log, "new msg ", id);
	end_line(log, "");
}

void
message_log_info(struct message_log *log, const struct message_log_info *info)
{
	add_number(log, "info msg ", info->id);
	add_number(log, ": bytes ", info->bytes);
	add_text(log, " from <");
	address_append_safe(&log->lines, info->sender, true);
	add_number(log, "> qp ", info->qp);
	add_number(log, " uid ", info->uid);
	end_line(log, "");
}

void
message_log_status(
    struct message_log *log, const struct message_log_status *status)
{
	add_number(log, "status: local ", status->running[CHANNEL_LOCAL]);
	add_number(log, "/", status->max[CHANNEL_LOCAL]);
	add_number(log, " remote ", status->running[CHANNEL_REMOTE]);
	add_number(log, "/", status->max[CHANNEL_REMOTE]);
	end_line(log, status->exiting ? " exitasap" : "");
}

void
message_log_start(struct message_log *log, uint64_t delivery, uint64_t id,
    enum channel_kind channel, struct span recipient)
{
	add_number(log, "starting delivery ", delivery);
	add_number(log, ": msg ", id);
	add_text(log, channel == CHANNEL_LOCAL ? " to local " : " to remote ");
	address_append_safe(&log->lines, recipient, true);
	end_line(log, "");
}

void
message_log_result(
    struct message_log *log, uint64_t delivery, char letter, struct span text)
{
	add_number(log, "delivery ", delivery);
	if (letter == 'K')
		add_text(log, ": success: ");
	else
		add_text(log, letter == 'D' ? ": failure: " : ": deferral: ");
	address_append_safe(&log->lines, text, true);
	end_line(log, "");
}

void
message_log_mangled(struct message_log *log, uint64_t delivery)
{
	add_number(log, "delivery ", delivery);
	end_line(log, ": report mangled, will defer");
}

void
message_log_bounce(struct message_log *log, uint64_t id, uint64_t qp)
{
	add_number(log, "bounce msg ", id);
	add_number(log, " qp ", qp);
	end_line(log, "");
}

void
message_log_discard(struct message_log *log, const char *which, uint64_t id)
{
	add_text(log, which);
	add_number(log, " bounce: discarding bounce/", id);
	end_line(log, "");
}

void
message_log_end(struct message_log *log, uint64_t id)
{
	add_number(log, "end msg ", id);
	end_line(log, "");
}

void
message_log_text(struct message_log *log, const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	if (vsnprintf(line, sizeof(line), format, args) < 0)
		line[0] = '\0';
	va_end(args);
	end_line(log, line);
}
