#include "remote/message.h"

#include <errno.h>
#include <unistd.h>

void
message_init(struct message *message, int fd)
{
	off_t start = lseek(fd, 0, SEEK_CUR);

	*message = (struct message){
	    .fd = fd,
	    .is_file = start != -1,
	    .start = start,
	    .at = start,
	    .measure = SMTP_MEASURE_INIT,
	};
}

ssize_t
message_read(struct message *message, char *buf, size_t len)
{
	ssize_t got;

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
