#include "admin/queue_text.h"

#include "base/clock.h"

/* As in the log: nothing that a terminal obeys, and no white space. */
static void
append_safe(struct str *to, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		str_append_char(
		    to, bytes.s[i] > 32 && bytes.s[i] < 127 ? bytes.s[i] : '_');
}

static void
append_date(struct str *to, int64_t when_s)
{
	clock_append_date(to, when_s);
	str_truncate(to, to->len - (sizeof(" -0000") - 1));
	str_append_cstr(to, " GMT");
}

static bool
is_done(struct span done, size_t index)
{
	return index < done.len &&
	    (done.s[index] == 'D' || done.s[index] == 'F');
}

void
queue_text_append(struct str *to, const struct queue_text *text,
    const struct classify_tables *tables)
{
	static const char *const names[CHANNELS] = {
	    [CHANNEL_LOCAL] = "local", [CHANNEL_REMOTE] = "remote"};
	struct span rest = text->envelope.recipients, recipient;
	struct str address = STR_INIT;
	char letter;

	append_date(to, (int64_t)text->envelope.birth_s);
	str_append_cstr(to, "  #");
	str_append_u64(to, text->id);
	str_append_cstr(to, "  ");
	str_append_u64(to, text->envelope.size_bytes);
	str_append_cstr(to, "  <");
	append_safe(to, text->envelope.sender);
	str_append_cstr(to, text->bouncing ? ">  bouncing\n" : "> \n");
	for (size_t i = 0;
	     queue_envelope_next_as(&rest, &recipient, &letter) == 1; i++) {
		enum channel_kind channel =
		    classify_queued(tables, letter, recipient, &address);

		if (is_done(text->done, i))
			str_append_cstr(to, "  done");
		str_append_char(to, '\t');
		str_append_cstr(to, names[channel]);
		str_append_char(to, '\t');
		append_safe(to, str_span(&address));
		str_append_char(to, '\n');
	}
	str_free(&address);
}
