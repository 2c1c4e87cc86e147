#include "queue/ledger.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pack.h"
#include "mail/queue_file.h"
#include "queue/store.h"

enum {
	CODE_WRITE = 53,
	CACHE_MAX = 4096, /* messages whose recipient count is remembered */
	TAIL_BYTES = 10,  /* the checksum that ends an env file */
	/* bytes of failure texts of one message: a bounce file is read whole */
	TEXTS_MAX = 256 * 1024 * 1024,
	OVERHEAD = 1024, /* of a record beside the message: lines we add */
};

#define HAS_DONE ((uint64_t)1 << 63)

void
ledger_init(struct ledger *ledger, const struct accounts *accounts,
    struct cleaners *cleaners)
{
	*ledger = (struct ledger){.accounts = accounts,
	    .cleaners = cleaners,
	    .next_id = 1,
	    .durable_id = 1,
	    .first_id = UINT64_MAX,
	    .marked = ID_TABLE_INIT,
	    .retired = ID_TABLE_INIT,
	    .recipients = ID_TABLE_INIT,
	    .texts = STR_INIT,
	    .head = STR_INIT,
	    .env = STR_INIT};
}

void
ledger_free(struct ledger *ledger)
{
	journal_free(&ledger->journal);
	id_table_clear(&ledger->marked);
	id_table_clear(&ledger->retired);
	id_table_clear(&ledger->recipients);
	free(ledger->changes);
	free(ledger->retiring);
	str_free(&ledger->texts);
	str_free(&ledger->head);
	str_free(&ledger->env);
}

/* ---- new messages ------------------------------------------------------- */

bool
ledger_is_full(const struct ledger *ledger, const struct letter *letter)
{
	uint64_t size = QUEUE_FILE_TEXT_MAX;

	if (letter != NULL && !letter->is_large)
		size = letter_size(letter);
	else if (letter != NULL && !letter->env_file)
		size = letter_env_size(letter);
	return !journal_has_room(&ledger->journal, (size_t)size + OVERHEAD);
}

static int
accept_small(struct ledger *ledger, const struct letter *letter, uint64_t id)
{
	struct span mess[2] = {
	    str_span(&ledger->head), str_span(&letter->body)};
	struct span env = str_span(&ledger->env), record[4];
	char env_len[4];

	if (store_create(QUEUE_MESS, id, mess, 2) == -1)
		return -1;
	if (store_create(QUEUE_ENV, id, &env, 1) == -1) {
		store_discard(QUEUE_MESS, id);
		return -1;
	}
	pack_u32(env_len, (uint32_t)env.len);
	record[0] = (struct span){env_len, sizeof(env_len)};
	record[1] = env;
	record[2] = mess[0];
	record[3] = mess[1];
	journal_record_append(
	    &ledger->journal.batch, JOURNAL_MESSAGE, id, record, 4);
	return 0;
}

static int
patch_tmp(uint64_t number, bool env, struct span head, struct span tail)
{
	struct str path = STR_INIT;
	int result;

	store_tmp_path(&path, number, env);
	result = store_patch(path.s, head, tail);
	str_free(&path);
	return result;
}

/*
 * The files in tmp/ are durable but for what depends on the id. That is put in
 * now; it is in the record too, from which recovery writes it again.
 */
static int
accept_large(struct ledger *ledger, const struct letter *letter, uint64_t id)
{
	struct span env = str_span(&ledger->env);
	struct journal_large record = {.number = letter->number,
	    .env_file = letter->env_file,
	    .head = str_span(&ledger->head),
	    .env_head = env,
	    .env_tail = {"", 0}};
	struct span none = {"", 0};
	int result;

	assert(ledger->head.len == letter->head_len);
	if (letter->env_file) {
		assert(env.len == letter->env_len);
		record.env_head = span_until(env, letter_env_head(env));
		record.env_tail = span_from(env, env.len - TAIL_BYTES);
	}
	if (patch_tmp(letter->number, false, record.head, none) == -1)
		return -1;
	if (!letter->env_file)
		result = store_create(QUEUE_ENV, id, &env, 1);
	else if (patch_tmp(letter->number, true, record.env_head,
		     record.env_tail) == -1)
		result = -1;
	else
		result = store_tmp_keep(letter->number, true, QUEUE_ENV, id);
	if (result == -1 ||
	    store_tmp_keep(letter->number, false, QUEUE_MESS, id) == -1) {
		store_discard(QUEUE_ENV, id);
		return -1;
	}
	journal_large_append(&ledger->journal.batch, id, &record);
	return 0;
}

int
ledger_accept(struct ledger *ledger, struct letter *letter, uint64_t *id)
{
	int result;

	letter_compose(letter, ledger->accounts, ledger->next_id, &ledger->head,
	    &ledger->env);
	result = letter->is_large
	    ? accept_large(ledger, letter, ledger->next_id)
	    : accept_small(ledger, letter, ledger->next_id);
	if (ledger->env.size > OVERHEAD * 64)
		str_free(&ledger->env);
	*id = ledger->next_id;
	/* not even after a failure: a file with this id may be left */
	ledger->next_id++;
	if (result == -1)
		return CODE_WRITE;
	letter->is_large = false; /* its file is a queue file now */
	ledger->journal.batch_records++;
	ledger->message_count++;
	return 0;
}

/* ---- what became of them ------------------------------------------------ */

/* Each recipient of a long list has as much room for the reason of its failure
   as any other: what is left for the last does not depend on the first. */
static struct span
cut_text(struct span text, uint64_t recipients)
{
	uint64_t max = TEXTS_MAX / recipients;

	if (max > QUEUE_FILE_TEXT_MAX)
		max = QUEUE_FILE_TEXT_MAX;
	return text.len > max ? span_until(text, (size_t)max) : text;
}

/* The number of recipients; 0 if the message is not there. */
static int
find_recipients(struct ledger *ledger, uint64_t id, uint64_t **entry)
{
	size_t count = 0;
	int has_done, found;

	*entry = id_table_get(&ledger->recipients, id);
	if (*entry != NULL)
		return 0;
	found = changes_count_recipients(id, &count);
	if (found == -1)
		return -1;
	if (found == 0 || count == 0)
		return 0;
	has_done = store_has(QUEUE_DONE, id);
	if (has_done == -1)
		return -1;
	id_table_put(
	    &ledger->recipients, id, count | (has_done ? HAS_DONE : 0));
	*entry = id_table_get(&ledger->recipients, id);
	return 0;
}

int
ledger_change(struct ledger *ledger, enum journal_type type, uint64_t id,
    uint64_t index, struct span text)
{
	struct journal_change what = {.text = {ledger->texts.s, 0}};
	uint64_t *entry;

	if (id_table_get(&ledger->retired, id) != NULL)
		return 0;
	if (find_recipients(ledger, id, &entry) == -1)
		return -1;
	if (entry == NULL || index >= (*entry & ~HAS_DONE))
		return 0;
	text = cut_text(text, *entry & ~HAS_DONE);
	what.index = (uint32_t)index;
	what.first = (*entry & HAS_DONE) == 0;
	*entry |= HAS_DONE;
	if (id >= ledger->first_id)
		id_table_put(&ledger->marked, id, 1);
	if (ledger->change_count == ledger->change_size) {
		ledger->change_size = ledger->change_size * 2 + 64;
		ledger->changes = mem_resize(ledger->changes,
		    ledger->change_size, sizeof(*ledger->changes));
	}
	/* texts may move while it grows: where it will be is found later */
	str_append_span(&ledger->texts, text);
	what.text.len = text.len;
	ledger->changes[ledger->change_count++] =
	    (struct change){.id = id, .type = type, .what = what};
	what.text.s = text.s;
	journal_change_append(&ledger->journal.batch, type, id, &what);
	ledger->journal.batch_records++;
	return 0;
}

void
ledger_retire(struct ledger *ledger, uint64_t id)
{
	bool is_plain =
	    id >= ledger->first_id && id_table_get(&ledger->marked, id) == NULL;

	if (id == 0 || id >= ledger->next_id ||
	    id_table_get(&ledger->retired, id) != NULL)
		return;
	id_table_put(&ledger->retired, id, 1);
	id_table_remove(&ledger->recipients, id);
	id_table_remove(&ledger->marked, id);
	if (ledger->retiring_count == ledger->retiring_size) {
		ledger->retiring_size = ledger->retiring_size * 2 + 64;
		ledger->retiring = mem_resize(ledger->retiring,
		    ledger->retiring_size, sizeof(*ledger->retiring));
	}
	ledger->retiring[ledger->retiring_count++] =
	    id | (is_plain ? CLEAN_PLAIN : 0);
	journal_record_append(
	    &ledger->journal.batch, JOURNAL_RETIRED, id, NULL, 0);
	ledger->journal.batch_records++;
}

void
ledger_removed(struct ledger *ledger, uint64_t id)
{
	id_table_remove(&ledger->retired, id);
}

/* ---- commits ------------------------------------------------------------ */

bool
ledger_has_work(const struct ledger *ledger)
{
	return !journal_is_empty(&ledger->journal) ||
	    journal_has_news(&ledger->journal);
}

/* Marks recipients, message by message. */
static int
apply_changes(struct ledger *ledger)
{
	const char *text = ledger->texts.s;
	size_t start, end;

	for (size_t i = 0; i < ledger->change_count; i++) {
		ledger->changes[i].what.text.s = text;
		text += ledger->changes[i].what.text.len;
	}
	for (start = 0; start < ledger->change_count; start = end) {
		uint64_t id = ledger->changes[start].id, *entry;

		end = start + 1;
		while (
		    end < ledger->change_count && ledger->changes[end].id == id)
			end++;
		entry = id_table_get(&ledger->recipients, id);
		if (entry == NULL) /* retired in the same batch */
			continue;
		if (changes_apply(&ledger->changes[start], end - start,
			(size_t)(*entry & ~HAS_DONE), false) == -1)
			return -1;
	}
	ledger->change_count = 0;
	str_clear(&ledger->texts);
	if (ledger->recipients.count > CACHE_MAX)
		id_table_clear(&ledger->recipients);
	return 0;
}

int
ledger_commit(struct ledger *ledger)
{
	if (journal_commit(&ledger->journal, ledger->durable_id) == -1)
		return -1;
	ledger->durable_id = ledger->next_id;
	if (apply_changes(ledger) == -1)
		return -1;
	for (size_t i = 0; i < ledger->retiring_count; i++)
		cleaners_remove(ledger->cleaners, ledger->retiring[i]);
	ledger->retiring_count = 0;
	return 0;
}
