/* jobs of a worker: what is accepted, encoded again, means the same */
#include <stdlib.h>
#include <string.h>

#include "local/local_job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct local_job job, again;
	struct str packet = STR_INIT;

	if (local_job_decode(input, &job) == -1)
		return 0;
	local_job_encode(&packet, &job);
	if (local_job_decode(str_span(&packet), &again) == -1 ||
	    again.number != job.number || !span_equal(again.user, job.user) ||
	    !span_equal(again.default_delivery, job.default_delivery))
		abort();
	str_free(&packet);
	return 0;
}
