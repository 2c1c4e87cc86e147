#include "net/job.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "mail/netstring.h"

void
job_encode_hello(struct str *packet, const struct job_hello *hello)
{
	str_clear(packet);
	netstring_append(packet, SPAN_LITERAL("H"));
	netstring_append_u64(packet, hello->limit);
	netstring_append_u64(packet, hello->recipients);
}

void
job_encode_head(struct str *packet, uint64_t number, uint64_t id,
    struct span host, struct span sender)
{
	str_clear(packet);
	netstring_append(packet, SPAN_LITERAL("J"));
	netstring_append_u64(packet, number);
	netstring_append_u64(packet, id);
	netstring_append(packet, host);
	netstring_append(packet, sender);
}

void
job_encode_result(struct str *packet, const struct job_result *result)
{
	struct span text = result->text;

	if (text.len > JOB_TEXT_MAX)
		text.len = JOB_TEXT_MAX;
	str_clear(packet);
	netstring_append(packet, SPAN_LITERAL("R"));
	netstring_append_u64(packet, result->number);
	netstring_append_u64(packet, result->index);
	netstring_append(packet, (struct span){&result->letter, 1});
	netstring_append(packet, text);
}

/* Takes the kind of a packet off its front. */
static int
take_kind(struct span *packet, const char *kind)
{
	struct span have;

	if (netstring_take(packet, &have) == -1 || !span_is(have, kind))
		return -1;
	return 0;
}

int
job_decode_hello(struct span packet, struct job_hello *hello)
{
	if (take_kind(&packet, "H") == -1 ||
	    netstring_take_u64(&packet, &hello->limit) == -1 ||
	    netstring_take_u64(&packet, &hello->recipients) == -1 ||
	    packet.len != 0)
		return -1;
	return hello->recipients >= 1 ? 0 : -1;
}

int
job_decode(struct span packet, struct job *job)
{
	struct span rest, one;

	if (take_kind(&packet, "J") == -1 ||
	    netstring_take_u64(&packet, &job->number) == -1 ||
	    netstring_take_u64(&packet, &job->id) == -1 ||
	    netstring_take(&packet, &job->host) == -1 ||
	    netstring_take(&packet, &job->sender) == -1)
		return -1;
	job->recipients = rest = packet;
	for (job->recipient_count = 0; rest.len > 0; job->recipient_count++) {
		if (netstring_take(&rest, &one) == -1)
			return -1;
	}
	if (job->recipient_count < 1 ||
	    job->recipient_count > JOB_RECIPIENTS_MAX)
		return -1;
	return 0;
}

int
job_decode_result(struct span packet, struct job_result *result)
{
	struct span letter;
	uint64_t index;

	if (take_kind(&packet, "R") == -1 ||
	    netstring_take_u64(&packet, &result->number) == -1 ||
	    netstring_take_u64(&packet, &index) == -1 ||
	    netstring_take(&packet, &letter) == -1 ||
	    netstring_take(&packet, &result->text) == -1 || packet.len != 0)
		return -1;
	if (index >= JOB_RECIPIENTS_MAX || letter.len != 1 ||
	    result->text.len > JOB_TEXT_MAX)
		return -1;
	if (letter.s[0] != 'K' && letter.s[0] != 'Z' && letter.s[0] != 'D')
		return -1;
	result->index = (size_t)index;
	result->letter = letter.s[0];
	return 0;
}

bool
job_is_message(int fd)
{
	struct stat info;
	int flags = fd == -1 ? -1 : fcntl(fd, F_GETFL);

	return flags != -1 && (flags & O_ACCMODE) == O_RDONLY &&
	    fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}
