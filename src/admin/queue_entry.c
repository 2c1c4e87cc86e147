#include "admin/queue_entry.h"

#include <errno.h>

#include "admin/queue_view.h"
#include "base/clock.h"
#include "mail/address.h"

static const struct {
	const char *name;
	unsigned bit;
} states[] = {
    {"local", QUEUE_STATE_LOCAL},
    {"remote", QUEUE_STATE_REMOTE},
    {"held", QUEUE_STATE_HELD},
    {"bouncing", QUEUE_STATE_BOUNCING},
    {"done", QUEUE_STATE_DONE},
    {"expiring", QUEUE_STATE_EXPIRING},
    {"removing", QUEUE_STATE_REMOVING},
};

unsigned
queue_state_of(const char *name)
{
	for (size_t i = 0; i < COUNT(states); i++) {
		if (span_is(span_of(name), states[i].name))
			return states[i].bit;
	}
	return 0;
}

int
queue_entry_read(struct queue_entry *entry, int queue_dir, uint64_t id)
{
	int found = queue_view_read(
	    queue_dir, QUEUE_ENV, id, QUEUE_VIEW_ENV_MAX, &entry->env);

	if (found != 1)
		return found;
	entry->id = id;
	if (queue_envelope_decode(str_span(&entry->env), &entry->envelope) ==
	    -1) {
		errno = EBADMSG;
		return -1;
	}
	if (queue_view_read(queue_dir, QUEUE_DONE, id, QUEUE_VIEW_DONE_MAX,
		&entry->done) == -1)
		return -1;
	entry->bouncing = queue_view_has(queue_dir, QUEUE_BOUNCE, id) ||
	    entry->envelope.failures.len > 0;
	return 1;
}

void
queue_entry_free(struct queue_entry *entry)
{
	str_free(&entry->env);
	str_free(&entry->done);
	str_free(&entry->scratch);
}

/* ---- recipients --------------------------------------------------------- */

/* 'D' delivered, 'F' failed, 'T' to be tried. */
static char
mark_of(const struct queue_entry *entry, size_t index)
{
	char mark = index < entry->done.len ? entry->done.s[index] : 'T';

	return mark == 'D' || mark == 'F' ? mark : 'T';
}

bool
queue_entry_has_left(
    const struct queue_entry *entry, const struct order_set *domains)
{
	struct span rest = entry->envelope.recipients, recipient;

	for (size_t i = 0; queue_envelope_next(&rest, &recipient) == 1; i++) {
		if (mark_of(entry, i) == 'T' &&
		    order_set_holds_recipient(domains, recipient))
			return true;
	}
	return false;
}

/* Whether nothing of the message is tried, or nothing of it there. */
static bool
is_held(const struct queue_entry *entry, const struct order_set *orders,
    enum channel_kind channel)
{
	return order_set_has_message(orders, ORDER_HOLD_MESSAGE, entry->id) ||
	    order_set_holds_import(orders, entry->envelope.origin) ||
	    order_set_holds_channel(
		orders, channel == CHANNEL_LOCAL ? "local" : "remote");
}

struct line {
	struct span address; /* as queued */
	enum channel_kind channel;
	char mark;
	bool held;
};

/* Takes the next recipient off *rest; where it is delivered is then in
   entry->scratch. */
static bool
next_line(struct queue_entry *entry, const struct queue_entry_rules *rules,
    struct span *rest, size_t index, struct line *line)
{
	char letter;

	if (queue_envelope_next_as(rest, &line->address, &letter) != 1)
		return false;
	line->channel = classify_queued(
	    rules->tables, letter, line->address, &entry->scratch);
	line->mark = mark_of(entry, index);
	line->held = line->mark == 'T' &&
	    (is_held(entry, rules->orders, line->channel) ||
		order_set_holds_recipient(rules->orders, line->address));
	return true;
}

unsigned
queue_entry_states(
    struct queue_entry *entry, const struct queue_entry_rules *rules)
{
	struct span rest = entry->envelope.recipients;
	unsigned bits = entry->bouncing ? QUEUE_STATE_BOUNCING : 0;
	struct line line;
	bool left = false;

	for (size_t i = 0; next_line(entry, rules, &rest, i, &line); i++) {
		if (line.mark != 'T')
			continue;
		left = true;
		bits |= line.channel == CHANNEL_LOCAL ? QUEUE_STATE_LOCAL
						      : QUEUE_STATE_REMOTE;
		if (line.held)
			bits |= QUEUE_STATE_HELD;
	}
	if (!left)
		bits |= QUEUE_STATE_DONE;
	if (order_set_has_message(rules->orders, ORDER_EXPIRE, entry->id))
		bits |= QUEUE_STATE_EXPIRING;
	if (order_set_has_message(rules->orders, ORDER_REMOVE, entry->id))
		bits |= QUEUE_STATE_REMOVING;
	return bits;
}

bool
queue_entry_matches_recipient(
    const struct queue_entry *entry, struct span pattern)
{
	struct span rest = entry->envelope.recipients, recipient;

	while (queue_envelope_next(&rest, &recipient) == 1) {
		if (queue_pattern_matches(pattern, recipient))
			return true;
	}
	return false;
}

bool
queue_entry_matches_host(const struct queue_entry *entry, struct span pattern)
{
	struct span rest = entry->envelope.recipients, recipient;

	while (queue_envelope_next(&rest, &recipient) == 1) {
		if (queue_pattern_matches(pattern, address_domain(recipient)))
			return true;
	}
	return false;
}

/* ---- text --------------------------------------------------------------- */

/* As in the log: nothing that a terminal obeys, and no white space. */
static void
append_safe(struct str *to, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		str_append_char(
		    to, bytes.s[i] > 32 && bytes.s[i] < 127 ? bytes.s[i] : '_');
}

void
queue_entry_append_text(struct str *to, struct queue_entry *entry,
    const struct queue_entry_rules *rules)
{
	unsigned bits = queue_entry_states(entry, rules);
	struct span rest = entry->envelope.recipients;
	struct line line;

	clock_append_date(to, (int64_t)entry->envelope.birth_s);
	str_truncate(to, to->len - (sizeof(" -0000") - 1));
	str_append_cstr(to, " GMT  #");
	str_append_u64(to, entry->id);
	str_append_cstr(to, "  ");
	str_append_u64(to, entry->envelope.size_bytes);
	str_append_cstr(to, "  <");
	append_safe(to, entry->envelope.sender);
	str_append_cstr(to, "> ");
	for (size_t i = 0; i < COUNT(states); i++) {
		if ((bits & states[i].bit) != 0 &&
		    states[i].bit >= QUEUE_STATE_BOUNCING) {
			str_append_char(to, ' ');
			str_append_cstr(to, states[i].name);
		}
	}
	str_append_char(to, '\n');
	for (size_t i = 0; next_line(entry, rules, &rest, i, &line); i++) {
		if (line.mark != 'T')
			str_append_cstr(to, "  done");
		else if (line.held)
			str_append_cstr(to, "  held");
		str_append_cstr(to,
		    line.channel == CHANNEL_LOCAL ? "\tlocal\t" : "\tremote\t");
		append_safe(to, str_span(&entry->scratch));
		str_append_char(to, '\n');
	}
}

/* ---- JSON --------------------------------------------------------------- */

/* Bytes of the UTF-8 character that text starts with; 0 if it is none. */
static size_t
utf8_length(struct span text)
{
	unsigned char first = (unsigned char)text.s[0];
	size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t value;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

	if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || len > text.len)
		return 0;
	if (len == 1)
		return 1;
	value = first & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		unsigned char byte = (unsigned char)text.s[i];

		if ((byte & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (byte & 0x3fU);
	}
	if (value < least[len] || value > 0x10ffff ||
	    (value >= 0xd800 && value < 0xe000))
		return 0;
	return len;
}

void
queue_json_append(struct str *to, struct span bytes)
{
	str_append_char(to, '"');
	while (bytes.len > 0) {
		unsigned char byte = (unsigned char)bytes.s[0];
		size_t len = utf8_length(bytes);

		if (byte == '"' || byte == '\\') {
			str_append_char(to, '\\');
			str_append_char(to, (char)byte);
		} else if (byte < 32 || byte == 127) {
			str_append_format(to, "\\u%04x", (unsigned)byte);
		} else if (len == 0) {
			str_append_cstr(to, "\\ufffd");
		} else {
			str_append_span(to, span_until(bytes, len));
		}
		bytes = span_from(bytes, len == 0 ? 1 : len);
	}
	str_append_char(to, '"');
}

static void
append_number(struct str *to, const char *name, uint64_t value)
{
	str_append_format(to, "\"%s\":", name);
	str_append_u64(to, value);
	str_append_char(to, ',');
}

static void
append_string(struct str *to, const char *name, struct span value)
{
	str_append_format(to, "\"%s\":", name);
	queue_json_append(to, value);
	str_append_char(to, ',');
}

static void
append_states(struct str *to, unsigned bits)
{
	bool first = true;

	str_append_cstr(to, "\"states\":[");
	for (size_t i = 0; i < COUNT(states); i++) {
		if ((bits & states[i].bit) == 0)
			continue;
		str_append_format(
		    to, "%s\"%s\"", first ? "" : ",", states[i].name);
		first = false;
	}
	str_append_cstr(to, "],");
}

static void
append_recipients(struct str *to, struct queue_entry *entry,
    const struct queue_entry_rules *rules)
{
	struct span rest = entry->envelope.recipients;
	struct line line;

	str_append_cstr(to, "\"recipients\":[");
	for (size_t i = 0; next_line(entry, rules, &rest, i, &line); i++) {
		if (i > 0)
			str_append_char(to, ',');
		str_append_char(to, '{');
		append_string(to, "address", line.address);
		append_string(to, "delivered_as", str_span(&entry->scratch));
		append_string(to, "channel",
		    span_of(
			line.channel == CHANNEL_LOCAL ? "local" : "remote"));
		str_append_format(to, "\"state\":\"%s\"}",
		    line.mark == 'D'       ? "delivered"
			: line.mark == 'F' ? "failed"
			: line.held        ? "held"
					   : "waiting");
	}
	str_append_char(to, ']');
}

void
queue_entry_append_json(struct str *to, struct queue_entry *entry,
    const struct queue_entry_rules *rules)
{
	const struct queue_envelope *envelope = &entry->envelope;

	str_append_char(to, '{');
	append_number(to, "id", entry->id);
	append_number(to, "time", envelope->birth_s);
	append_number(to, "size", envelope->size_bytes);
	append_number(to, "uid", envelope->uid);
	append_number(to, "qp", envelope->qp);
	append_string(to, "sender", envelope->sender);
	if (envelope->origin.len > 0)
		append_string(to, "origin", envelope->origin);
	append_states(to, queue_entry_states(entry, rules));
	append_recipients(to, entry, rules);
	str_append_cstr(to, "}\n");
}

/* ---- patterns ----------------------------------------------------------- */

/* After a mismatch only the last '*' has to take one byte more: what is before
   it matches at its first chance as well as at any later one. */
bool
queue_pattern_matches(struct span pattern, struct span text)
{
	size_t p = 0, t = 0, star = SPAN_NONE, from = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.s[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.len &&
		    span_lower(pattern.s[p]) == span_lower(text.s[t])) {
			p++;
			t++;
		} else if (star != SPAN_NONE) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.s[p] == '*')
		p++;
	return p == pattern.len;
}
