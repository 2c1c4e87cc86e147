#include "queue/clean_job.h"

#include <assert.h>

#include "mail/netstring.h"

void
clean_job_encode(struct str *packet, const struct clean_job *job)
{
	char kind = (char)job->kind;

	str_clear(packet);
	netstring_append(packet, (struct span){&kind, 1});
	if (job->kind != CLEAN_REMOVE) {
		netstring_append_u64(packet, job->a);
		netstring_append_u64(packet, job->b);
		return;
	}
	assert(job->id_count <= CLEAN_JOB_IDS_MAX);
	for (size_t i = 0; i < job->id_count; i++)
		netstring_append_u64(packet, job->ids[i]);
}

int
clean_job_decode(struct span packet, struct clean_job *job)
{
	struct span kind;

	if (netstring_take(&packet, &kind) == -1 || kind.len != 1)
		return -1;
	job->a = job->b = 0;
	job->id_count = 0;
	switch (kind.s[0]) {
	case CLEAN_REMOVE:
		job->kind = CLEAN_REMOVE;
		while (packet.len > 0) {
			if (job->id_count == CLEAN_JOB_IDS_MAX ||
			    netstring_take_u64(
				&packet, &job->ids[job->id_count]) == -1)
				return -1;
			job->id_count++;
		}
		return 0;
	case CLEAN_SYNC:
		job->kind = CLEAN_SYNC;
		break;
	case CLEAN_CHECKPOINT:
		job->kind = CLEAN_CHECKPOINT;
		break;
	case CLEAN_PREPARE:
		job->kind = CLEAN_PREPARE;
		break;
	default:
		return -1;
	}
	if (netstring_take_u64(&packet, &job->a) == -1 ||
	    netstring_take_u64(&packet, &job->b) == -1)
		return -1;
	return packet.len == 0 ? 0 : -1;
}

void
clean_job_encode_answer(struct str *packet, const char *error)
{
	str_clear(packet);
	netstring_append(packet, span_of(error == NULL ? "K" : "E"));
	if (error != NULL)
		netstring_append(packet, span_of(error));
}

int
clean_job_decode_answer(struct span packet, struct span *error)
{
	struct span verdict;

	if (netstring_take(&packet, &verdict) == -1)
		return -1;
	if (span_is(verdict, "K"))
		return packet.len == 0 ? 1 : -1;
	if (!span_is(verdict, "E") || netstring_take(&packet, error) == -1)
		return -1;
	return packet.len == 0 ? 0 : -1;
}
