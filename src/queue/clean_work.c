#include "queue/clean_work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dir.h"
#include "base/fd.h"
#include "mail/queue_file.h"
#include "queue/id_table.h"
#include "queue/journal.h"
#include "queue/journal_format.h"
#include "queue/store.h"

/* Directories that a job has to sync: kind by kind, split by split. */
struct touched {
	bool split[QUEUE_KINDS][QUEUE_FILE_SPLIT];
};

static int
remove_all(const struct clean_job *job, struct str *what)
{
	for (size_t i = 0; i < job->id_count; i++) {
		uint64_t id = job->ids[i] & ~CLEAN_PLAIN;
		bool is_plain = (job->ids[i] & CLEAN_PLAIN) != 0;

		if ((is_plain ? store_remove_plain(id)
			      : store_remove_all(id)) == -1) {
			str_format(what, "files of message %llu",
			    (unsigned long long)id);
			return -1;
		}
	}
	return 0;
}

static int
sync_tmp(const struct clean_job *job, struct str *what)
{
	store_tmp_path(what, job->a, false);
	if (store_sync_file(what->s) != 1)
		return -1;
	if (job->b == 1) {
		store_tmp_path(what, job->a, true);
		if (store_sync_file(what->s) != 1)
			return -1;
	}
	str_format(what, "tmp");
	return dir_sync("tmp");
}

/* ---- checkpoint --------------------------------------------------------- */

static int
sync_message(uint64_t id, struct touched *touched, struct str *what)
{
	for (int kind = 0; kind < QUEUE_KINDS; kind++) {
		int synced;

		queue_file_path(what, (enum queue_kind)kind, id);
		synced = store_sync_file(what->s);
		if (synced == -1)
			return -1;
		if (synced == 1)
			touched->split[kind][id % QUEUE_FILE_SPLIT] = true;
	}
	return 0;
}

static int
finish_message(uint64_t id, struct touched *touched, struct str *what)
{
	str_format(what, "files of message %llu", (unsigned long long)id);
	if (store_remove_all(id) == -1)
		return -1;
	/* others may have removed them before: the directories count */
	for (int kind = 0; kind < QUEUE_KINDS; kind++)
		touched->split[kind][id % QUEUE_FILE_SPLIT] = true;
	return 0;
}

static int
sync_touched(const struct touched *touched, struct str *what)
{
	for (int kind = 0; kind < QUEUE_KINDS; kind++) {
		for (int split = 0; split < QUEUE_FILE_SPLIT; split++) {
			if (!touched->split[kind][split])
				continue;
			str_format(what, "%s/%d", queue_kind_name[kind], split);
			if (dir_sync(what->s) == -1)
				return -1;
		}
	}
	return 0;
}

/* Which messages the segment speaks of: 1 they may live, 2 retired. */
static int
collect(struct span segment, uint64_t epoch, struct id_table *ids)
{
	struct journal_scan scan;
	struct span records;

	if (journal_scan_begin(&scan, segment) != JOURNAL_HEADER_OK ||
	    scan.header.epoch != epoch) {
		errno = EINVAL;
		return -1;
	}
	while (journal_scan_batch(&scan, &records) == 1) {
		struct journal_record record;

		while (journal_record_next(&records, &record) == 1) {
			if (record.id == 0)
				continue;
			if (record.type == JOURNAL_RETIRED)
				id_table_put(ids, record.id, 2);
			else if (id_table_get(ids, record.id) == NULL)
				id_table_put(ids, record.id, 1);
		}
	}
	return 0;
}

static int
checkpoint(const struct clean_job *job, struct str *what)
{
	struct str path = STR_INIT, segment = STR_INIT;
	struct id_table ids = ID_TABLE_INIT;
	struct touched touched = {{{false}}};
	int result = -1;

	journal_slot_path(&path, (size_t)job->a);
	str_copy(what, str_span(&path));
	if (file_read(path.s, JOURNAL_KIB_MAX * (size_t)1024, &segment) == -1 ||
	    collect(str_span(&segment), job->b, &ids) == -1)
		goto done;
	str_free(&segment);
	for (size_t i = 0; i < ids.size; i++) {
		const struct id_slot *slot = &ids.slots[i];

		if (slot->id == 0)
			continue;
		if ((slot->value == 2
			    ? finish_message(slot->id, &touched, what)
			    : sync_message(slot->id, &touched, what)) == -1)
			goto done;
	}
	result = sync_touched(&touched, what);
done:
	str_free(&path);
	str_free(&segment);
	id_table_clear(&ids);
	return result;
}

int
clean_work_do(const struct clean_job *job, struct str *what)
{
	switch (job->kind) {
	case CLEAN_REMOVE:
		return remove_all(job, what);
	case CLEAN_SYNC:
		return sync_tmp(job, what);
	case CLEAN_CHECKPOINT:
		return checkpoint(job, what);
	case CLEAN_PREPARE:
		journal_slot_path(what, (size_t)job->a);
		return journal_slot_make((size_t)job->a, (size_t)job->b);
	}
	errno = EINVAL;
	return -1;
}
