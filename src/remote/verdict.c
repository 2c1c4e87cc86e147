#include "remote/verdict.h"

#include <stdlib.h>

#include "base/die.h"
#include "base/mem.h"

void
verdict_init(struct verdict *verdict, size_t count)
{
	*verdict = (struct verdict){.text = STR_INIT, .count = count};
	verdict->recipients =
	    mem_alloc(count > 0 ? count : 1, sizeof(*verdict->recipients));
	for (size_t i = 0; i < count; i++)
		verdict->recipients[i].text = (struct str)STR_INIT;
}

void
verdict_free(struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->count; i++)
		str_free(&verdict->recipients[i].text);
	free(verdict->recipients);
	str_free(&verdict->text);
	*verdict = (struct verdict){.text = STR_INIT};
}

void
verdict_set(struct verdict *verdict, char letter, const char *line)
{
	verdict->letter = letter;
	str_format(&verdict->text, "%s\n", line);
}

void
verdict_set_name(struct verdict *verdict, char letter, const char *before,
    struct span name, const char *after)
{
	verdict->letter = letter;
	str_format(&verdict->text, "%s%s%s\n", before, quote_span(name), after);
}

static void
append_reply(struct str *to, struct span reply)
{
	if (reply.len == 0)
		return;
	str_append_cstr(to, "Remote host said: ");
	str_append_span(to, reply);
	if (reply.s[reply.len - 1] != '\n')
		str_append_char(to, '\n');
}

void
verdict_set_host(struct verdict *verdict, char letter, const char *before,
    const struct ip *ip, const char *after, struct span reply)
{
	verdict->letter = letter;
	str_clear(&verdict->text);
	str_append_cstr(&verdict->text, before);
	ip_append(&verdict->text, ip);
	str_append_cstr(&verdict->text, after);
	str_append_char(&verdict->text, '\n');
	append_reply(&verdict->text, reply);
}

void
verdict_refuse(struct verdict_recipient *recipient, char letter,
    const struct ip *ip, struct span reply)
{
	recipient->letter = letter;
	str_clear(&recipient->text);
	ip_append(&recipient->text, ip);
	str_append_cstr(&recipient->text, " does not like recipient.\n");
	append_reply(&recipient->text, reply);
}

void
verdict_refuse_here(struct verdict_recipient *recipient, const char *line)
{
	recipient->is_refused_here = true;
	recipient->letter = 'h';
	str_format(&recipient->text, "%s\n", line);
}

void
verdict_reset(struct verdict *verdict)
{
	for (size_t i = 0; i < verdict->count; i++) {
		if (verdict->recipients[i].is_refused_here)
			continue;
		verdict->recipients[i].letter = '\0';
		str_clear(&verdict->recipients[i].text);
	}
}

static void
append_record(struct str *to, char letter, struct span text)
{
	str_append_char(to, letter);
	str_append_span(to, text);
	str_append_char(to, '\0');
}

void
verdict_append_records(struct str *to, const struct verdict *verdict)
{
	/* records count from the first recipient on: after one that is unknown
	   none may follow, and then the message's own is Z or D for all */
	for (size_t i = 0; i < verdict->count; i++) {
		const struct verdict_recipient *one = &verdict->recipients[i];

		if (one->letter == '\0')
			break;
		append_record(to, one->letter, str_span(&one->text));
	}
	append_record(to, verdict->letter, str_span(&verdict->text));
}

struct span
verdict_result(const struct verdict *verdict, size_t index, char *letter)
{
	const struct verdict_recipient *one = &verdict->recipients[index];

	if (one->letter == 'h' || one->letter == 's') {
		*letter = one->letter == 'h' ? 'D' : 'Z';
		return str_span(&one->text);
	}
	*letter = verdict->letter;
	return str_span(&verdict->text);
}
