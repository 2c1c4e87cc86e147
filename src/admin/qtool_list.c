/*
 * The verb list: the messages of the queue that all filters let through, as
 * text, as JSON or as bare numbers for other verbs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin/qtool.h"
#include "admin/queue_entry.h"
#include "admin/queue_view.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/num.h"
#include "base/out.h"
#include "conf/classify.h"

static const char synopsis[] =
    "list [--ids | --json] [--sender PATTERN] [--recipient PATTERN] "
    "[--host PATTERN] [--older AGE] [--newer AGE] [--larger SIZE] "
    "[--smaller SIZE] [--state STATE] [ID... | -]";

static struct {
	enum {
		LIST_TEXT,
		LIST_JSON,
		LIST_IDS,
	} form;
	struct span sender, recipient, host; /* s NULL: any */
	int64_t born_before_s, born_after_s;
	uint64_t larger, smaller;
	unsigned states;      /* all of these bits */
	bool some;            /* only those of ids */
	struct qtool_ids ids; /* sorted */
	struct classify_tables tables;
	struct order_set orders;
	struct queue_entry entry;
	struct str text;
	struct out out;
	char out_buffer[16384];
	bool trouble;
} list = {.born_before_s = INT64_MAX,
    .born_after_s = INT64_MIN,
    .smaller = UINT64_MAX,
    .tables = CLASSIFY_TABLES_INIT,
    .orders = ORDER_SET_INIT,
    .entry = QUEUE_ENTRY_INIT,
    .text = STR_INIT};

/* ---- options ------------------------------------------------------------ */

/* A number and one of the letters, which stand for the factors; none is the
   first. */
static uint64_t
parse_amount(const char *option, const char *text, const char *letters,
    const uint64_t *factors)
{
	struct span span = span_of(text);
	uint64_t value, factor = factors[0];
	const char *letter;
	size_t digits = num_leading_u64(span, &value);

	if (digits > 0 && digits + 1 == span.len &&
	    (letter = strchr(letters, text[digits])) != NULL) {
		factor = factors[letter - letters];
		digits++;
	}
	if (digits == 0 || digits != span.len ||
	    value > (uint64_t)INT64_MAX / 4 / factor)
		die_perm("%s wants a number and one of %s, not %s", option,
		    letters, quote(text));
	return value * factor;
}

static uint64_t
parse_size(const char *option, const char *text)
{
	static const uint64_t factors[] = {1, 1024, 1024 * 1024};

	return parse_amount(option, text, "bkm", factors);
}

/* When something was that is as old. */
static int64_t
parse_age(const char *option, const char *text)
{
	static const uint64_t factors[] = {1, 60, 3600, 86400};

	return clock_now() -
	    (int64_t)parse_amount(option, text, "smhd", factors);
}

static void
take_option(const char *option, const char *value)
{
	unsigned bit;

	if (strcmp(option, "--sender") == 0) {
		list.sender = span_of(value);
	} else if (strcmp(option, "--recipient") == 0) {
		list.recipient = span_of(value);
	} else if (strcmp(option, "--host") == 0) {
		list.host = span_of(value);
	} else if (strcmp(option, "--older") == 0) {
		list.born_before_s = parse_age(option, value);
	} else if (strcmp(option, "--newer") == 0) {
		list.born_after_s = parse_age(option, value);
	} else if (strcmp(option, "--larger") == 0) {
		list.larger = parse_size(option, value);
	} else if (strcmp(option, "--smaller") == 0) {
		list.smaller = parse_size(option, value);
	} else if (strcmp(option, "--state") == 0) {
		bit = queue_state_of(value);
		if (bit == 0)
			die_perm("%s is not a state", quote(value));
		list.states |= bit;
	} else {
		qtool_usage(synopsis);
	}
}

static int
compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static void
take_arguments(int argc, char **argv)
{
	int i = 1;

	while (i < argc && strncmp(argv[i], "--", 2) == 0) {
		if (strcmp(argv[i], "--ids") == 0) {
			list.form = LIST_IDS;
			i++;
		} else if (strcmp(argv[i], "--json") == 0) {
			list.form = LIST_JSON;
			i++;
		} else {
			if (i + 1 >= argc)
				qtool_usage(synopsis);
			take_option(argv[i], argv[i + 1]);
			i += 2;
		}
	}
	list.some = i < argc;
	qtool_take_ids(&list.ids, argc - i, argv + i);
	if (list.ids.count > 0)
		qsort(list.ids.ids, list.ids.count, sizeof(*list.ids.ids),
		    compare);
}

/* ---- one message -------------------------------------------------------- */

static bool
is_wanted(const struct queue_entry_rules *rules)
{
	struct queue_entry *entry = &list.entry;
	const struct queue_envelope *envelope = &entry->envelope;
	int64_t birth_s = envelope->birth_s > INT64_MAX
	    ? INT64_MAX
	    : (int64_t)envelope->birth_s;

	if (birth_s >= list.born_before_s || birth_s <= list.born_after_s ||
	    envelope->size_bytes < list.larger ||
	    envelope->size_bytes > list.smaller)
		return false;
	if (list.sender.s != NULL &&
	    !queue_pattern_matches(list.sender, envelope->sender))
		return false;
	if (list.recipient.s != NULL &&
	    !queue_entry_matches_recipient(entry, list.recipient))
		return false;
	if (list.host.s != NULL && !queue_entry_matches_host(entry, list.host))
		return false;
	return list.states == 0 ||
	    (queue_entry_states(entry, rules) & list.states) == list.states;
}

/* True if it was listed. */
static bool
list_message(int queue_dir, uint64_t id, const struct queue_entry_rules *rules)
{
	int found = queue_entry_read(&list.entry, queue_dir, id);

	if (found == -1) {
		warn_sys("cannot read message %llu", (unsigned long long)id);
		list.trouble = true;
	}
	if (found != 1 || !is_wanted(rules))
		return false;
	str_clear(&list.text);
	switch (list.form) {
	case LIST_TEXT:
		queue_entry_append_text(&list.text, &list.entry, rules);
		break;
	case LIST_JSON:
		queue_entry_append_json(&list.text, &list.entry, rules);
		break;
	case LIST_IDS:
		str_append_u64(&list.text, id);
		str_append_char(&list.text, '\n');
		break;
	}
	out_span(&list.out, str_span(&list.text));
	return true;
}

int
qtool_list(int argc, char **argv)
{
	struct queue_entry_rules rules = {&list.tables, &list.orders};
	size_t count, listed = 0;
	const char *bad;
	uint64_t *ids;
	int queue_dir;

	take_arguments(argc, argv);
	queue_dir = qtool_open_queue();
	bad = classify_tables_load(&list.tables);
	if (bad != NULL)
		die_temp("cannot read %s", bad);
	qtool_load_orders(queue_dir, &list.orders);
	if (queue_view_list(queue_dir, &ids, &count) == -1)
		die_sys("cannot list queue/env");
	out_init(&list.out, 1, 0, list.out_buffer, sizeof(list.out_buffer));
	for (size_t i = 0; i < count && list.out.error == 0; i++) {
		if (list.some &&
		    (list.ids.count == 0 ||
			bsearch(&ids[i], list.ids.ids, list.ids.count,
			    sizeof(*ids), compare) == NULL))
			continue;
		if (list_message(queue_dir, ids[i], &rules))
			listed++;
	}
	if (out_flush(&list.out) == -1)
		die_sys("cannot write");
	free(ids);
	if (list.trouble)
		return EXIT_TEMP;
	return listed > 0 ? EXIT_OK : QTOOL_NO_MATCH;
}
