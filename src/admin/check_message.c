#include "admin/check_parts.h"

#include "mail/queue_file.h"

#define RESTART                                                                \
	"restart qmail-queued: it repairs what its journal still has, and "    \
	"moves the rest to queue/damaged/"

static void
check_bounce(struct check_report *report, const struct check_message *message,
    const char *path, size_t recipient_count)
{
	static const struct check_advice torn = {
	    "the sender is not told of failures behind that place", RESTART};
	static const struct check_advice nobody = {
	    "the sender is told of a recipient that there is not", RESTART};
	struct span rest = message->bounce;
	struct queue_failure failure;
	int found;

	while (
	    (found = queue_failure_next(&rest, message->id, &failure)) == 1) {
		if (failure.recipient >= recipient_count)
			check_report_add(report, nobody, path, 0,
			    "an entry for recipient %lu of %zu",
			    (unsigned long)failure.recipient, recipient_count);
	}
	if (found == -1)
		check_report_add(report, torn, path, 0,
		    "the last %zu bytes are no entry", rest.len);
}

static void
check_done(struct check_report *report, const struct check_message *message,
    const char *path, size_t recipient_count)
{
	static const struct check_advice advice = {
	    "recipients without a mark get the message again", RESTART};
	struct span done = message->done;

	if (done.len != recipient_count)
		check_report_add(report, advice, path, 0,
		    "%zu marks for %zu recipients", done.len, recipient_count);
	for (size_t i = 0; i < done.len; i++) {
		if (done.s[i] == 'T' || done.s[i] == 'D' || done.s[i] == 'F')
			continue;
		check_report_add(report, advice, path, 0,
		    "recipient %zu has a mark that means nothing", i);
		break;
	}
}

void
check_message(struct check_report *report, const struct check_message *message)
{
	static const struct check_advice bad_env = {
	    "the message is not delivered", RESTART};
	static const struct check_advice bad_mess = {
	    "the message is not delivered as it came", RESTART};
	struct str path[QUEUE_KINDS] = {STR_INIT, STR_INIT, STR_INIT, STR_INIT};
	struct queue_envelope envelope;
	struct str name = STR_INIT;

	for (int kind = 0; kind < QUEUE_KINDS; kind++) {
		queue_file_path(&name, (enum queue_kind)kind, message->id);
		str_format(&path[kind], "queue/%s", name.s);
	}
	if (!message->has_mess)
		check_report_add(
		    report, bad_mess, path[QUEUE_MESS].s, 0, "it is missing");
	if (queue_envelope_decode(message->env, &envelope) == -1) {
		check_report_add(report, bad_env, path[QUEUE_ENV].s, 0,
		    "it is not an envelope");
		goto end;
	}
	if (message->has_mess && message->mess_bytes != envelope.size_bytes)
		check_report_add(report, bad_mess, path[QUEUE_MESS].s, 0,
		    "%llu bytes, not %llu",
		    (unsigned long long)message->mess_bytes,
		    (unsigned long long)envelope.size_bytes);
	if (message->done.s != NULL)
		check_done(report, message, path[QUEUE_DONE].s,
		    envelope.recipient_count);
	if (message->bounce.s != NULL)
		check_bounce(report, message, path[QUEUE_BOUNCE].s,
		    envelope.recipient_count);
end:
	for (int kind = 0; kind < QUEUE_KINDS; kind++)
		str_free(&path[kind]);
	str_free(&name);
}
