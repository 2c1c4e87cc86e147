/* the plain files of one message, each up to its length; the envelope's
   checksum is mended, so that the others are judged too */
#include "../fuzz.h"

#include "admin/check_parts.h"
#include "mail/queue_file.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, found;
	struct check_report report = CHECK_REPORT_INIT;
	struct check_message message = {.id = 1};
	struct queue_envelope envelope;
	struct str env = STR_INIT;
	unsigned char flags = fuzz_byte(&input);

	message.has_mess = flags & 1;
	message.mess_bytes = fuzz_byte(&input);
	str_copy(&env, fuzz_some(&input, fuzz_byte(&input)));
	if (flags & 2)
		queue_envelope_append_end(&env, 0);
	message.env = str_span(&env);
	if (flags & 4)
		message.done = fuzz_some(&input, fuzz_byte(&input) % 16);
	if (flags & 8)
		message.bounce = input;
	check_message(&report, &message);
	found = str_span(&report.findings);
	require(fuzz_count(found, '\n') == 3 * report.finding_count);
	while (found.len > 0)
		require(fuzz_is_printable(fuzz_until(&found, '\n')));
	/* silence means that all is there and fits */
	if (report.finding_count == 0) {
		require(message.has_mess);
		require(queue_envelope_decode(message.env, &envelope) == 0);
		require(envelope.size_bytes == message.mess_bytes);
		require(message.done.s == NULL ||
		    message.done.len == envelope.recipient_count);
	}
	check_report_free(&report);
	str_free(&env);
	return 0;
}
