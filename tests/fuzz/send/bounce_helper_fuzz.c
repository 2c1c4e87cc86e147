/*
 * Answers of bounce helpers, any packets: an id that is asked about is with one
 * helper or waits, until it is answered; and nothing else is taken.
 */
#include "../fuzz.h"

#include "base/fd.h"
#include "mail/netstring.h"
#include "send/bounce_helper.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct bounce_helpers helpers = {.waiting = ID_QUEUE_INIT,
	    .doubles = ID_QUEUE_INIT,
	    .rate = {.per_hour = 3}};
	struct settings settings = SETTINGS_INIT;
	int peers[BOUNCE_HELPERS], passed;
	size_t asked = 0, answered = 0, owed = 0;
	int64_t now_ms = 1;
	bool is_lost = false;

	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		int ends[2];

		require(fd_packet_pair(ends) == 0 &&
		    fd_nonblock(ends[0]) == 0 && fd_nonblock(ends[1]) == 0);
		helpers.helpers[i].fd = ends[0];
		peers[i] = ends[1];
	}
	while (input.len > 0 && !is_lost) {
		unsigned char what = fuzz_byte(&input);
		struct span packet = fuzz_some(&input, what / 8);
		struct bounce_answer answer;
		char buf[8 * 1024];
		int got;

		if ((what & 1) != 0 || packet.len == 0) {
			bounce_helpers_ask(&helpers, ++asked, (what & 2) != 0);
			now_ms += what * 1000;
			bounce_helpers_hand_out(&helpers, now_ms);
			continue;
		}
		(void)fd_receive_packet(
		    peers[what / 2 % 4], buf, sizeof(buf), &passed);
		require(fd_send_packet(peers[what / 2 % 4], packet, -1) == 0);
		got = bounce_helpers_next(&helpers, &answer);
		require(got == 1 || got == -1);
		is_lost = got == -1;
		answered += got == 1;
	}
	for (size_t i = 0; i < BOUNCE_HELPERS; i++)
		owed += helpers.helpers[i].asked;
	require(
	    helpers.waiting.count + helpers.doubles.count + owed + answered ==
	    asked);
	bounce_helpers_reload(&helpers, &settings);
	bounce_helpers_stop(&helpers);
	for (size_t i = 0; i < BOUNCE_HELPERS; i++) {
		fd_close(helpers.helpers[i].fd);
		fd_close(peers[i]);
	}
	return 0;
}
