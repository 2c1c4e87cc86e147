#include "inject/inject_message.h"

#include "base/clock.h"
#include "mail/address.h"

/* Fields that never leave, whatever they say. */
static bool
is_removed(enum header_type type)
{
	return type == HEADER_BCC || type == HEADER_RESENT_BCC ||
	    type == HEADER_RETURN_PATH || type == HEADER_CONTENT_LENGTH;
}

/* The first Return-Path with an address wins; of several the rightmost. */
static void
note_return_path(struct inject_message *message,
    const struct inject_settings *settings, const struct address_list *list)
{
	if (message->has_sender || settings->ignore_return_path ||
	    list->count == 0)
		return;
	message->has_sender = true;
	str_copy(&message->sender, address_list_get(list, 0));
	/* the null sender stays null: nobody may answer a bounce */
	if (settings->verp_recipient && message->sender.len > 0)
		str_append_cstr(&message->sender, "-@[]");
}

static void
note_addresses(struct inject_message *message, enum header_type type,
    const struct address_list *list)
{
	struct address_list *to =
	    header_is_resent(type) ? &message->resent : &message->recipients;

	for (size_t i = 0; i < list->count; i++) {
		struct span address = address_list_get(list, i);

		address_list_add(to, address);
		if (type == HEADER_TO || type == HEADER_CC)
			address_list_add(&message->listed, address);
	}
}

static int
read_addresses(struct inject_message *message,
    const struct inject_settings *settings, const struct header_field *field)
{
	struct address_list list = ADDRESS_LIST_INIT;
	size_t start = message->fields.len;
	int parsed;

	str_append_span(&message->fields, field->name);
	str_append_char(&message->fields, ':');
	parsed = address_list_parse(&list, &message->fields,
	    field->name.len + 1, field->body, &settings->rules);
	str_append_char(&message->fields, '\n');
	if (parsed == -1) {
		/* what cannot be read cannot be rewritten */
		str_truncate(&message->fields, start);
		str_append_span(&message->fields, field->whole);
	}
	if (is_removed(field->type))
		str_truncate(&message->fields, start);
	if (header_is_recipient(field->type)) {
		note_addresses(message, field->type, &list);
		parsed = 0;
	} else if (field->type == HEADER_RETURN_PATH && parsed == 0) {
		note_return_path(message, settings, &list);
	}
	address_list_free(&list);
	return parsed;
}

int
inject_message_read(struct inject_message *message,
    const struct inject_settings *settings, struct span header,
    struct span *fault)
{
	struct header_field field;

	while (header_next(&header, &field)) {
		if ((field.type == HEADER_FROM && settings->drop_from) ||
		    (field.type == HEADER_MESSAGE_ID &&
			settings->drop_message_id))
			continue;
		message->seen[field.type] = true;
		if (header_is_resent(field.type))
			message->is_resent = true;
		if (header_is_recipient(field.type) ||
		    header_is_sender(field.type)) {
			if (read_addresses(message, settings, &field) == -1) {
				*fault = field.whole;
				return -1;
			}
		} else if (!is_removed(field.type)) {
			str_append_span(&message->fields, field.whole);
		}
	}
	return 0;
}

const struct address_list *
inject_message_recipients(const struct inject_message *message)
{
	return message->is_resent ? &message->resent : &message->recipients;
}

static bool
goes_to_list(const struct inject_message *message,
    const struct inject_settings *settings)
{
	if (!settings->has_lists)
		return false;
	for (size_t i = 0; i < message->listed.count; i++) {
		if (control_has(&settings->lists,
			address_list_get(&message->listed, i)))
			return true;
	}
	return false;
}

/* All of To and Cc: the last field first, each of them from left to right,
   which is backwards through the whole list. */
static void
append_followup(struct str *to, const struct inject_message *message)
{
	const char *before = "Mail-Followup-To: ";

	for (size_t i = message->listed.count; i > 0; i--) {
		struct span address = address_list_get(&message->listed, i - 1);

		if (address.len == 0)
			continue;
		str_append_cstr(to, before);
		address_append_quoted(to, address);
		before = ",\n  ";
	}
	str_append_char(to, '\n');
}

void
inject_message_append(struct str *to, const struct inject_message *message,
    const struct inject_settings *settings)
{
	const bool *seen = message->seen;
	bool again = message->is_resent;
	const char *prefix = again ? "Resent-" : "";

	if (!seen[again ? HEADER_RESENT_DATE : HEADER_DATE]) {
		str_append_format(to, "%sDate: ", prefix);
		clock_append_date(to, settings->now_s);
		str_append_char(to, '\n');
	}
	if (!seen[again ? HEADER_RESENT_MESSAGE_ID : HEADER_MESSAGE_ID]) {
		str_append_format(to, "%sMessage-ID: <", prefix);
		inject_settings_append_id(to, settings);
		str_append_cstr(to, ">\n");
	}
	if (!seen[again ? HEADER_RESENT_FROM : HEADER_FROM]) {
		inject_settings_append_from(
		    to, settings, again ? "Resent-From" : "From");
		str_append_char(to, '\n');
	}
	if (!seen[again ? HEADER_RESENT_TO : HEADER_TO] &&
	    !seen[again ? HEADER_RESENT_CC : HEADER_CC])
		str_append_format(
		    to, "%sCc: recipient list not shown: ;\n", prefix);
	if (!again && !seen[HEADER_MAIL_FOLLOWUP_TO] &&
	    goes_to_list(message, settings))
		append_followup(to, message);
	str_append_span(to, str_span(&message->fields));
}

void
inject_message_free(struct inject_message *message)
{
	str_free(&message->fields);
	address_list_free(&message->recipients);
	address_list_free(&message->resent);
	address_list_free(&message->listed);
	str_free(&message->sender);
}
