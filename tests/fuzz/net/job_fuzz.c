/* packets of jobs and results: what is accepted is within the limits */
#include <stdlib.h>

#include "mail/netstring.h"
#include "net/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span packet = {(const char *)data, size}, one;
	struct job_result result;
	struct job_hello hello;
	struct job job;

	if (job_decode(packet, &job) == 0) {
		if (job.recipient_count > JOB_RECIPIENTS_MAX)
			abort();
		for (size_t i = 0; i < job.recipient_count; i++) {
			if (netstring_take(&job.recipients, &one) == -1)
				abort();
		}
		if (job.recipients.len != 0)
			abort();
	}
	if (job_decode_result(packet, &result) == 0) {
		struct str again = STR_INIT;

		if (result.index >= JOB_RECIPIENTS_MAX ||
		    result.text.len > JOB_TEXT_MAX)
			abort();
		job_encode_result(&again, &result);
		/* numbers may have had leading zeros */
		if (again.len > size)
			abort();
		str_free(&again);
	}
	if (job_decode_hello(packet, &hello) == 0 && hello.recipients == 0)
		abort();
	return 0;
}
