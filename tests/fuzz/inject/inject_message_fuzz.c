/*
 * A whole header as qmail-inject reads it; the first byte holds the letters of
 * QMAILINJECT, then come user, host and name up to a NUL each. What is queued
 * is a header again: with a date, an id, an author and somebody to write to,
 * each once, without Bcc and Return-Path; and read again, with what it says
 * itself, it names the same recipients.
 */
#include "../fuzz.h"

#include "inject/inject_message.h"

/* As header_add_line takes it. Returns what is left: the body. */
static void
read_header(struct str *header, struct span input)
{
	while (input.len > 0) {
		size_t end = span_find(input, '\n');

		end = end == SPAN_NONE ? input.len : end + 1;
		if (header_add_line(header, span_until(input, end)) !=
		    HEADER_MORE)
			break;
		input = span_from(input, end);
	}
}

static void
check_fields(struct span text, bool is_resent)
{
	struct header_field field;
	size_t seen[HEADER_TYPES] = {0};

	while (header_next(&text, &field) == 1)
		seen[field.type]++;
	require(text.len == 0);
	require(seen[HEADER_BCC] == 0 && seen[HEADER_RESENT_BCC] == 0);
	require(seen[HEADER_RETURN_PATH] == 0);
	require(seen[HEADER_CONTENT_LENGTH] == 0);
	if (is_resent) {
		require(seen[HEADER_RESENT_DATE] > 0);
		require(seen[HEADER_RESENT_MESSAGE_ID] > 0);
		require(seen[HEADER_RESENT_FROM] > 0);
		require(seen[HEADER_RESENT_TO] + seen[HEADER_RESENT_CC] > 0);
	} else {
		require(seen[HEADER_DATE] > 0);
		require(seen[HEADER_MESSAGE_ID] > 0);
		require(seen[HEADER_FROM] > 0);
		require(seen[HEADER_TO] + seen[HEADER_CC] > 0);
	}
}

static void
check_addresses(const struct address_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct span address = address_list_get(list, i);

		require(
		    address.len == 0 || span_find(address, '@') != SPAN_NONE);
	}
}

/* Who names a host that is none gets a From field that is none. */
static struct span
take_host(struct span *input)
{
	struct span host = fuzz_until(input, '\0');

	for (size_t i = 0; i < host.len; i++) {
		char byte = span_lower(host.s[i]);

		if (!(byte >= 'a' && byte <= 'z') && byte != '+' &&
		    (byte != '.' || i == 0 || host.s[i - 1] == '.'))
			return SPAN_LITERAL("h");
	}
	return host;
}

/* The header that was made, read once more. */
static void
read_again(struct span text, const struct inject_settings *settings,
    const struct inject_message *first)
{
	struct inject_message message = INJECT_MESSAGE_INIT;
	struct str again = STR_INIT, header = STR_INIT;
	struct span fault;

	read_header(&header, text);
	require(span_equal(str_span(&header), text));
	require(inject_message_read(&message, settings, text, &fault) == 0);
	require(message.is_resent == first->is_resent);
	require(!message.has_sender);
	/* what has been completed stays as it is; Bcc is gone */
	require(inject_message_recipients(&message)->count <=
	    inject_message_recipients(first)->count);
	inject_message_append(&again, &message, settings);
	check_fields(str_span(&again), message.is_resent);
	inject_message_free(&message);
	str_free(&header);
	str_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, fault;
	struct inject_message message = INJECT_MESSAGE_INIT;
	struct inject_settings settings = {.rules = REWRITE_INIT,
	    .idhost = STR_INIT,
	    .lists = CONTROL_TABLE_INIT,
	    .now_s = 1,
	    .pid = 2};
	struct str header = STR_INIT, text = STR_INIT, sender = STR_INIT;
	unsigned char flags = fuzz_byte(&input);

	settings.name_as_comment = flags & 1;
	settings.ignore_return_path = flags & 2;
	settings.drop_from = flags & 4;
	settings.drop_message_id = flags & 8;
	settings.verp_recipient = flags & 16;
	settings.verp_message = flags & 32;
	settings.has_lists = flags & 64;
	settings.user = settings.sender_user = fuzz_until(&input, '\0');
	settings.host = settings.sender_host = take_host(&input);
	settings.has_host = settings.has_sender_host = settings.host.len > 0;
	settings.name = fuzz_until(&input, '\0');
	str_copy(&settings.idhost, SPAN_LITERAL("id.example"));
	rewrite_set(&settings.rules, SPAN_LITERAL("def.example"),
	    SPAN_LITERAL("example"), SPAN_LITERAL("plus.example"));
	require(control_list_of(
		    SPAN_LITERAL("list@x.example\n"), &settings.lists) == 0);
	read_header(&header, input);
	if (inject_message_read(
		&message, &settings, str_span(&header), &fault) == 0) {
		check_addresses(&message.recipients);
		check_addresses(&message.resent);
		inject_message_append(&text, &message, &settings);
		check_fields(str_span(&text), message.is_resent);
		inject_settings_append_sender(&sender, &settings);
		read_again(str_span(&text), &settings, &message);
	} else {
		require(fault.s >= header.s &&
		    fault.s + fault.len <= header.s + header.len);
	}
	inject_message_free(&message);
	inject_settings_free(&settings);
	str_free(&header);
	str_free(&text);
	str_free(&sender);
	return 0;
}
