#include "remote/message.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"

void
message_init(struct message *message, int fd)
{
	off_t start = lseek(fd, 0, SEEK_CUR);

	*message = (struct message){
	    .fd = fd,
	    .is_file = start != -1,
	    .start = start,
	    .at = start,
	    .held = STR_INIT,
	    .measure = SMTP_MEASURE_INIT,
	};
}

void
message_free(struct message *message)
{
	str_free(&message->held);
}

void
message_rewind(struct message *message)
{
	message->at = message->start;
}

static ssize_t
read_held(struct message *message, char *buf, size_t len)
{
	size_t left = message->held.len - (size_t)message->at;

	if (len > left)
		len = left;
	memcpy(buf, message->held.s + message->at, len);
	message->at += (off_t)len;
	return (ssize_t)len;
}

ssize_t
message_read(struct message *message, char *buf, size_t len)
{
	ssize_t got;

	if (message->is_held)
		return read_held(message, buf, len);

	do {
		if (message->is_file)
			got = pread(message->fd, buf, len, message->at);
		else
			got = read(message->fd, buf, len);
	} while (got == -1 && errno == EINTR);
	if (got > 0)
		message->at += got;
	return got;
}

int
message_measure(struct message *message)
{
	char buf[MESSAGE_CHUNK];
	ssize_t got;

	if (!message->is_file || message->is_measured)
		return 0;
	while ((got = message_read(message, buf, sizeof(buf))) > 0)
		smtp_measure_add(
		    &message->measure, (struct span){buf, (size_t)got});
	if (got == -1)
		return -1;
	smtp_measure_finish(&message->measure);
	message->at = message->start;
	message->is_measured = true;
	return 0;
}

int
message_size(struct message *message, uint64_t max, uint64_t *size_bytes)
{
	struct stat st;

	if (!message->is_file && !message->is_held) {
		if (file_read_fd(message->fd, (size_t)max, &message->held) ==
		    -1)
			return -1;
		message->is_held = true;
		message->start = message->at = 0;
	}
	if (message->is_held) {
		*size_bytes = message->held.len;
		return 0;
	}
	if (fstat(message->fd, &st) == -1)
		return -1;
	*size_bytes = st.st_size > message->start
	    ? (uint64_t)(st.st_size - message->start)
	    : 0;
	if (*size_bytes <= max)
		return 0;
	errno = EFBIG;
	return -1;
}
