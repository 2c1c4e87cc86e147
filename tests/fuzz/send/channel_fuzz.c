/* channel: whatever packet a spawn sends, only a job that it has gets a
   result, and each recipient one at most */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "send/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SLOTS = 4,
	RECIPIENTS = 3,
};

static void
open_channel(struct channel *channel, int *peer)
{
	static const struct job_hello hello = {SLOTS, RECIPIENTS};
	struct str packet = STR_INIT;
	int ends[2];

	if (fd_packet_pair(ends) == -1)
		abort();
	job_encode_hello(&packet, &hello);
	if (fd_send_packet(ends[1], str_span(&packet), -1) == -1 ||
	    channel_open(channel, CHANNEL_REMOTE, ends[0]) == -1)
		abort();
	channel_limit(channel, SLOTS);
	str_free(&packet);
	*peer = ends[1];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct channel channel;
	struct channel_report report;
	struct pass *pass = NULL;
	int peer;

	if (size == 0 || size > 60000)
		return 0;
	open_channel(&channel, &peer);
	for (size_t i = 0; i < SLOTS; i++) /* numbers 4, 9, 14, 19 */
		(void)channel_new_job(&channel, pass, RECIPIENTS);
	/* twice: the second time nothing of it may be taken again */
	for (int i = 0; i < 2; i++) {
		enum channel_event event;

		if (fd_send_packet(peer,
			(struct span){(const char *)data, size}, -1) == -1)
			abort();
		event = channel_next(&channel, &report);
		if (event == CHANNEL_GARBAGE)
			continue;
		if (event != CHANNEL_RESULT && event != CHANNEL_MANGLED)
			abort();
		if (i == 1 || report.job->number == 0 ||
		    report.result.index >= report.job->count)
			abort();
		report.job->recipients[report.result.index].done = true;
	}
	channel_free(&channel);
	(void)close(peer);
	return 0;
}
