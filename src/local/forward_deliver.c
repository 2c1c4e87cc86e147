#include "local/forward_deliver.h"

#include <errno.h>
#include <string.h>

#include "net/submit.h"

int
forward_deliver(const struct forward *forward, struct message *message,
    struct report *report, uint64_t *qp)
{
	struct submit submit;
	struct span chunk;
	int got, result = EXIT_OK;

	/* a failure to open shows in submit_finish like any other */
	if (submit_open(&submit) == -1)
		goto finish;
	submit_write(&submit, forward->head.s, forward->head.len);
	message_rewind(message);
	while ((got = message_next(message, &chunk)) == 1)
		submit_write(&submit, chunk.s, chunk.len);
	if (got == -1) {
		result = report_temp(report,
		    "Unable to read the message: %s. (#4.3.0)",
		    strerror(errno));
		submit_abort(&submit);
		return result;
	}
	submit_from(&submit, forward->sender);
	for (size_t i = 0; i < forward->recipient_count; i++)
		submit_to(&submit, forward->recipients[i]);
finish:
	if (submit_finish(&submit) == 0) {
		*qp = submit.qp;
	} else {
		struct span text = str_span(&submit.text);
		bool is_perm = text.len > 0 && text.s[0] == 'D';

		report_add(report, SPAN_LITERAL("Unable to forward message: "));
		report_add(report, span_from(text, text.len > 0));
		report_add(report, SPAN_LITERAL(".\n"));
		result = is_perm ? EXIT_PERM : EXIT_TEMP;
	}
	str_free(&submit.text);
	return result;
}
