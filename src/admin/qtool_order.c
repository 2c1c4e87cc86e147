/*
 * The verbs that change something: hold, release, expire, remove, force. Each
 * becomes requests to qmail-queued, some thousand messages at a time, which
 * has the order on the disk when it answers.
 */
#include <errno.h>
#include <string.h>

#include "admin/qtool.h"
#include "admin/queue_entry.h"
#include "admin/queue_view.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/out.h"
#include "base/str.h"
#include "mail/netstring.h"
#include "mail/order.h"

struct batch {
	struct queue_control control;
	char letter;      /* of the requests */
	struct str list;  /* of the next one */
	struct str items; /* what they are called, each with a NUL */
	bool some_missing, unheard;
};

/* ---- requests ----------------------------------------------------------- */

static void
batch_open(struct batch *batch, char letter)
{
	*batch = (struct batch){
	    .letter = letter, .list = STR_INIT, .items = STR_INIT};
	(void)qtool_open_queue(); /* as its owner we talk to qmail-queued */
	qtool_open_control(&batch->control);
}

static void
judge_result(struct batch *batch, char letter, const char *item)
{
	switch (letter) {
	case 'K':
	case 'S':
		return;
	case 'N':
		if (batch->letter == 'U')
			warn_plain("%s was not held", quote(item));
		else
			warn_plain("there is no message %s", quote(item));
		batch->some_missing = true;
		return;
	case 'F':
		die_temp(
		    "there are too many orders: %s is not taken", quote(item));
	case 'B':
		die_perm("qmail-queued does not understand %s", quote(item));
	default:
		die_temp("qmail-queued has trouble with %s", quote(item));
	}
}

static void
batch_send(struct batch *batch)
{
	struct queue_control_answer answer;
	const char *item = batch->items.s;

	if (queue_control_ask(&batch->control, batch->letter,
		str_span(&batch->list), &answer) == -1)
		qtool_fail_control();
	if (answer.error.len > 0)
		die_temp("%s", quote_span(answer.error));
	if (!answer.is_heard)
		batch->unheard = true;
	for (size_t i = 0;
	     i < answer.results.len && item < batch->items.s + batch->items.len;
	     i++) {
		judge_result(batch, answer.results.s[i], item);
		item += strlen(item) + 1;
	}
	str_clear(&batch->list);
	str_clear(&batch->items);
}

static void
batch_add(struct batch *batch, struct span text, const char *item)
{
	netstring_append(&batch->list, text);
	str_append(&batch->items, item, strlen(item) + 1);
	if (batch->list.len >= QUEUE_CONTROL_LIST_MAX - 2 * ORDER_LINE_MAX)
		batch_send(batch);
}

/* Returns the exit code. */
static int
batch_close(struct batch *batch)
{
	if (batch->list.len > 0)
		batch_send(batch);
	queue_control_close(&batch->control);
	str_free(&batch->list);
	str_free(&batch->items);
	return batch->some_missing ? QTOOL_NO_MATCH : EXIT_OK;
}

static void
batch_add_order(struct batch *batch, const struct order *order)
{
	struct str line = STR_INIT, item = STR_INIT;

	order_append(&line, order);
	if (order->kind <= ORDER_OF_MESSAGE)
		str_append_u64(&item, order->id);
	else
		str_append_span(&item, order->key);
	batch_add(batch, str_span(&line), item.s);
	str_free(&line);
	str_free(&item);
}

/* ---- orders about messages ---------------------------------------------- */

static int
order_messages(struct batch *batch, enum order_kind kind, int argc, char **argv)
{
	struct qtool_ids list = {0};

	qtool_take_ids(&list, argc, argv);
	if (list.count == 0) {
		warn_plain("no message is named");
		return QTOOL_NO_MATCH;
	}
	batch_open(batch, batch->letter);
	for (size_t i = 0; i < list.count; i++)
		batch_add_order(
		    batch, &(struct order){.kind = kind, .id = list.ids[i]});
	return batch_close(batch);
}

static int
end_messages(enum order_kind kind, int argc, char **argv)
{
	struct batch batch = {.letter = 'O'};
	int result = order_messages(&batch, kind, argc, argv);

	if (batch.unheard)
		warn_plain("queued: will be done when qmail-send runs");
	return result;
}

int
qtool_expire(int argc, char **argv)
{
	if (argc < 2)
		qtool_usage("expire ID... | -");
	return end_messages(ORDER_EXPIRE, argc - 1, argv + 1);
}

int
qtool_remove(int argc, char **argv)
{
	bool bounce = argc > 1 && strcmp(argv[1], "-b") == 0;
	int skip = bounce ? 2 : 1;

	if (argc <= skip)
		qtool_usage("remove [-b] ID... | -");
	return end_messages(
	    bounce ? ORDER_EXPIRE : ORDER_REMOVE, argc - skip, argv + skip);
}

/* ---- hold, release ------------------------------------------------------ */

static void
put_order(struct out *out, const struct order *order)
{
	struct str line = STR_INIT, words = STR_INIT;

	order_append(&line, order);
	/* without its first word, the time */
	str_append_span(&words,
	    span_from(str_span(&line), span_find(str_span(&line), ' ') + 1));
	str_append_cstr(&words, " since ");
	clock_append_date(&words, (int64_t)order->when_s);
	str_append_char(&words, '\n');
	out_span(out, str_span(&words));
	str_free(&line);
	str_free(&words);
}

static int
list_orders(void)
{
	struct order_set orders = ORDER_SET_INIT;
	const struct order *order;
	char buffer[4096];
	uint64_t number = 0;
	struct out out;

	qtool_load_orders(qtool_open_queue(), &orders);
	out_init(&out, 1, 0, buffer, sizeof(buffer));
	while ((order = order_set_next(&orders, &number)) != NULL)
		put_order(&out, order);
	if (out_flush(&out) == -1)
		die_sys("cannot write");
	order_set_free(&orders);
	return EXIT_OK;
}

static void
check_key(const struct order *order, const char *what)
{
	struct str line = STR_INIT;
	struct order again;

	order_append(&line, order);
	if (order->key.len > ORDER_KEY_MAX ||
	    order_parse(str_span(&line), &again) == -1)
		die_perm("%s is not a %s", quote_span(order->key), what);
	str_free(&line);
}

static int
change_hold(char letter, const char *usage, int argc, char **argv)
{
	static const struct {
		const char *word;
		enum order_kind kind;
	} kinds[] = {
	    {"message", ORDER_HOLD_MESSAGE},
	    {"domain", ORDER_HOLD_DOMAIN},
	    {"channel", ORDER_HOLD_CHANNEL},
	    {"import", ORDER_HOLD_IMPORT},
	};
	struct batch batch = {.letter = letter};
	size_t i = 0;

	while (
	    argc > 2 && i < COUNT(kinds) && strcmp(argv[1], kinds[i].word) != 0)
		i++;
	if (argc < 3 || i == COUNT(kinds))
		qtool_usage(usage);
	if (kinds[i].kind == ORDER_HOLD_MESSAGE)
		return order_messages(
		    &batch, ORDER_HOLD_MESSAGE, argc - 2, argv + 2);
	for (int n = 2; n < argc; n++)
		check_key(&(struct order){.kind = kinds[i].kind,
			      .key = span_of(argv[n])},
		    kinds[i].word);
	batch_open(&batch, batch.letter);
	for (int n = 2; n < argc; n++)
		batch_add_order(&batch,
		    &(struct order){
			.kind = kinds[i].kind, .key = span_of(argv[n])});
	return batch_close(&batch);
}

int
qtool_hold(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list_orders();
	return change_hold('O',
	    "hold message ID... | domain DOMAIN... | channel local|remote | "
	    "--list",
	    argc, argv);
}

int
qtool_release(int argc, char **argv)
{
	return change_hold('U',
	    "release message ID... | domain DOMAIN... | channel local|remote",
	    argc, argv);
}

/* ---- force -------------------------------------------------------------- */

/* Adds the messages that have a recipient left in one of the domains. */
static void
find_domains(int queue_dir, struct qtool_ids *list, int argc, char **argv)
{
	struct order_set domains = ORDER_SET_INIT;
	struct queue_entry entry = QUEUE_ENTRY_INIT;
	uint64_t *ids;
	size_t count;

	for (int i = 0; i < argc; i++) {
		struct order order = {
		    .kind = ORDER_HOLD_DOMAIN, .key = span_of(argv[i])};

		check_key(&order, "domain");
		if (order_set_add(&domains, &order) == -1)
			die_sys("cannot remember %s", quote(argv[i]));
	}
	if (queue_view_list(queue_dir, &ids, &count) == -1)
		die_sys("cannot list queue/env");
	for (size_t i = 0; i < count; i++) {
		if (queue_entry_read(&entry, queue_dir, ids[i]) == 1 &&
		    queue_entry_has_left(&entry, &domains))
			qtool_add_id(list, ids[i]);
	}
	queue_entry_free(&entry);
	order_set_free(&domains);
}

int
qtool_force(int argc, char **argv)
{
	struct batch batch = {.letter = 'T'};
	bool by_domain = argc > 2 && strcmp(argv[1], "domain") == 0;
	bool all = argc == 2 && strcmp(argv[1], "--all") == 0;
	struct qtool_ids list = {0};

	if (argc < 2)
		qtool_usage("force ID... | - | domain DOMAIN... | --all");
	if (by_domain)
		find_domains(qtool_open_queue(), &list, argc - 2, argv + 2);
	else if (!all)
		qtool_take_ids(&list, argc - 1, argv + 1);
	if (!all && list.count == 0) {
		warn_plain("no message is waiting for that");
		return QTOOL_NO_MATCH;
	}
	batch_open(&batch, batch.letter);
	if (all)
		batch_send(&batch);
	for (size_t i = 0; i < list.count; i++) {
		struct str text = STR_INIT;

		str_append_u64(&text, list.ids[i]);
		batch_add(&batch, str_span(&text), text.s);
		str_free(&text);
	}
	return batch_close(&batch);
}
