#include "local/local_job.h"

#include "mail/netstring.h"

void
local_job_encode(struct str *packet, const struct local_job *job)
{
	str_clear(packet);
	netstring_append(packet, SPAN_LITERAL("L"));
	netstring_append_u64(packet, job->number);
	netstring_append(packet, job->user);
	netstring_append(packet, job->homedir);
	netstring_append(packet, job->local);
	netstring_append(packet, job->dash);
	netstring_append(packet, job->ext);
	netstring_append(packet, job->domain);
	netstring_append(packet, job->sender);
	netstring_append(packet, job->default_delivery);
}

int
local_job_decode(struct span packet, struct local_job *job)
{
	struct span *fields[] = {&job->user, &job->homedir, &job->local,
	    &job->dash, &job->ext, &job->domain, &job->sender,
	    &job->default_delivery};
	struct span kind;

	if (netstring_take(&packet, &kind) == -1 || !span_is(kind, "L") ||
	    netstring_take_u64(&packet, &job->number) == -1)
		return -1;
	for (size_t i = 0; i < COUNT(fields); i++) {
		if (netstring_take(&packet, fields[i]) == -1 ||
		    span_find(*fields[i], '\0') != SPAN_NONE)
			return -1;
	}
	return packet.len == 0 ? 0 : -1;
}
