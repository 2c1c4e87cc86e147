/*
 * A message of the queue as qmail-qtool and qmail-qread show it: one line and
 * one for each recipient, and JSON, in one line, whose strings are UTF-8; and
 * patterns, against a matcher that tries everything.
 */
#include "../fuzz.h"

#include "admin/queue_entry.h"
#include "admin/queue_text.h"

static bool
matches_slowly(struct span pattern, struct span text)
{
	if (pattern.len == 0)
		return text.len == 0;
	if (pattern.s[0] == '*')
		return matches_slowly(span_from(pattern, 1), text) ||
		    (text.len > 0 &&
			matches_slowly(pattern, span_from(text, 1)));
	return text.len > 0 &&
	    span_lower(pattern.s[0]) == span_lower(text.s[0]) &&
	    matches_slowly(span_from(pattern, 1), span_from(text, 1));
}

/* Steps over a string with its quotes; returns how many bytes it has. */
static size_t
skip_string(struct span json)
{
	size_t i = 1;

	require(json.len >= 2 && json.s[0] == '"');
	while (i < json.len && json.s[i] != '"') {
		unsigned char byte = (unsigned char)json.s[i];
		size_t more = byte < 0xc2 ? 0
		    : byte < 0xe0         ? 1
		    : byte < 0xf0         ? 2
					  : 3;

		require(byte >= 32 && byte != 127 && (byte < 0x80 || more > 0));
		if (byte == '\\') {
			i++;
			require(i < json.len);
			require(strchr("\"\\u", json.s[i]) != NULL);
			more = json.s[i] == 'u' ? 4 : 0;
			for (size_t k = 1; k <= more; k++)
				require(i + k < json.len &&
				    strchr("0123456789abcdef", json.s[i + k]) !=
					NULL);
		} else {
			for (size_t k = 1; k <= more; k++)
				require(i + k < json.len &&
				    (json.s[i + k] & 0xc0) == 0x80);
		}
		i += more + 1;
	}
	require(i < json.len);
	return i + 1;
}

/* Braces, brackets, strings and the rest of one line of JSON. */
static void
check_json(struct span json)
{
	char open[8];
	size_t depth = 0;

	require(json.len > 2 && json.s[0] == '{');
	require(memcmp(json.s + json.len - 2, "}\n", 2) == 0);
	require(fuzz_count(json, '\n') == 1);
	json.len--;
	while (json.len > 0) {
		char byte = json.s[0];
		size_t len = 1;

		if (byte == '"') {
			len = skip_string(json);
		} else if (byte == '{' || byte == '[') {
			require(depth < sizeof(open));
			open[depth++] = byte;
		} else if (byte == '}' || byte == ']') {
			require(depth > 0);
			require(open[--depth] == (byte == '}' ? '{' : '['));
		} else {
			require(strchr(":,0123456789", byte) != NULL);
		}
		json = span_from(json, len);
		require((depth > 0) == (json.len > 0));
	}
}

static void
check_text(struct span text, size_t recipients)
{
	require(fuzz_count(text, '\n') == recipients + 1);
	require(text.s[text.len - 1] == '\n');
	for (size_t i = 0; i < text.len; i++)
		require(text.s[i] == '\n' || text.s[i] == '\t' ||
		    (text.s[i] >= ' ' && text.s[i] <= '~'));
}

static void
show(struct queue_entry *entry, const struct queue_entry_rules *rules)
{
	struct queue_text old = {.id = 7,
	    .envelope = entry->envelope,
	    .done = str_span(&entry->done),
	    .bouncing = entry->bouncing};
	size_t count = entry->envelope.recipient_count;
	struct str text = STR_INIT;
	unsigned states = queue_entry_states(entry, rules);

	require(((states & QUEUE_STATE_DONE) != 0) ==
	    ((states & (QUEUE_STATE_LOCAL | QUEUE_STATE_REMOTE)) == 0));
	queue_entry_append_text(&text, entry, rules);
	check_text(str_span(&text), count);
	str_clear(&text);
	queue_text_append(&text, &old, rules->tables);
	check_text(str_span(&text), count);
	str_clear(&text);
	queue_entry_append_json(&text, entry, rules);
	check_json(str_span(&text));
	str_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, pattern, whole = input;
	struct classify_tables tables = CLASSIFY_TABLES_INIT;
	struct order_set orders = ORDER_SET_INIT;
	struct queue_entry_rules rules = {&tables, &orders};
	struct queue_entry entry = QUEUE_ENTRY_INIT;
	struct order hold = {.kind = ORDER_HOLD_DOMAIN,
	    .when_s = 1,
	    .key = SPAN_LITERAL("held.example")};
	struct str json = STR_INIT;

	require(
	    control_list_of(SPAN_LITERAL("here.example"), &tables.locals) == 0);
	require(order_set_add(&orders, &hold) == 1);
	entry.id = 7;
	entry.bouncing = fuzz_byte(&input) & 1;
	str_copy(&entry.done, fuzz_some(&input, fuzz_byte(&input) % 8));
	pattern = fuzz_some(&input, fuzz_byte(&input) % 7);
	str_copy(&entry.env, input);
	queue_envelope_append_end(&entry.env, 0);
	if (queue_envelope_decode(str_span(&entry.env), &entry.envelope) == 0)
		show(&entry, &rules);
	queue_json_append(&json, whole);
	require(skip_string(str_span(&json)) == json.len);
	input = fuzz_some(&input, 12);
	require(queue_pattern_matches(pattern, input) ==
	    matches_slowly(pattern, input));
	str_free(&json);
	queue_entry_free(&entry);
	order_set_free(&orders);
	classify_tables_free(&tables);
	return 0;
}
