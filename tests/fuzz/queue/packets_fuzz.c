/* any packet, on control.sock, to a qmail-clean, and back from one */
#include <stdlib.h>

#include "mail/netstring.h"
#include "queue/clean_job.h"
#include "queue/control_door.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct clean_job job, again;
	struct span packet = {(const char *)data, size}, error;
	struct control_request request;
	struct str text = STR_INIT;

	if (control_request_decode(packet, &request) == 0) {
		struct span one;

		if (request.text.len > size || request.list.len > size ||
		    request.rest.len >= size)
			abort();
		while (request.list.len > 0) {
			if (netstring_take(&request.list, &one) == -1)
				abort();
		}
	}
	if (clean_job_decode_answer(packet, &error) == 0 && error.len > size)
		abort();
	if (clean_job_decode(packet, &job) == 0) {
		clean_job_encode(&text, &job);
		if (clean_job_decode(str_span(&text), &again) == -1 ||
		    again.kind != job.kind || again.id_count != job.id_count)
			abort();
	}
	str_free(&text);
	return 0;
}
