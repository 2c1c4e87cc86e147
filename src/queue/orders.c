#include "queue/orders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/die.h"
#include "base/dir.h"
#include "base/fd.h"
#include "queue/store.h"

#define SCRATCH "tmp/orders" /* recovery empties tmp/ */

enum {
	FILE_MAX = 2 * ORDER_SET_BYTES_MAX,
	FILE_MODE = 0640,
	TEXT_KEPT = 64 * 1024, /* bytes of scratch kept for the next time */
};

void
orders_free(struct orders *orders)
{
	order_set_free(&orders->set);
	str_free(&orders->added);
	str_free(&orders->removed);
	str_free(&orders->text);
}

/* ---- the start ---------------------------------------------------------- */

/* Drops what is about messages that are not in the queue any more. */
static int
drop_dead(struct orders *orders)
{
	const struct order *order;
	uint64_t number = 0;

	while ((order = order_set_next(&orders->set, &number)) != NULL) {
		uint64_t id = order->id;
		int there;

		if (order->kind > ORDER_OF_MESSAGE)
			continue;
		there = store_has(QUEUE_ENV, id);
		if (there == -1)
			return -1;
		if (there == 0)
			(void)order_set_forget(&orders->set, id);
	}
	return 0;
}

/* A second name for the damaged file: until the new one takes its place, a
   crash must not leave none at all. */
static int
keep_copy(struct str *copy)
{
	str_append_cstr(copy, "damaged/" ORDER_FILE);
	while (link(ORDER_FILE, copy->s) == -1) {
		if (errno != EEXIST)
			return -1;
		str_append_char(copy, '+');
	}
	return 0;
}

/*
 * What it held would go out if the file were only put away: those lines that
 * can be read are obeyed, and the rest is the administrator's to look at.
 */
static int
replace_damaged(struct orders *orders)
{
	struct str copy = STR_INIT;
	int result = -1;

	if (keep_copy(&copy) == -1)
		goto done;
	warn_plain("alert: queue/" ORDER_FILE
		   " is damaged (see queue/%s): of its orders %zu that hold "
		   "mail could be read, others are lost",
	    copy.s, orders->set.count);
	result = orders_store(orders) == 0 ? 0 : -1;
done:
	str_free(&copy);
	return result;
}

int
orders_load(struct orders *orders)
{
	struct str file = STR_INIT;
	int result = -1;

	*orders = (struct orders)ORDERS_INIT;
	if (file_read(ORDER_FILE, FILE_MAX, &file) == -1) {
		if (errno == ENOENT)
			result = 0;
		else if (errno == EFBIG)
			result = replace_damaged(orders);
		goto done;
	}
	result = order_set_read(&orders->set, str_span(&file));
	if (result == -2) {
		errno = ENOMEM;
		goto done;
	}
	if (drop_dead(orders) == -1) {
		result = -1;
		goto done;
	}
	if (result == -1)
		result = replace_damaged(orders);
done:
	str_free(&file);
	return result == 0 ? 0 : -1;
}

/* ---- changes ------------------------------------------------------------ */

static void
note(struct str *lines, const struct order *order)
{
	order_append(lines, order);
	str_append_char(lines, '\n');
}

int
orders_add(struct orders *orders, const struct order *order)
{
	int result = order_set_add(&orders->set, order);

	if (result == 1)
		note(&orders->added, order);
	return result;
}

bool
orders_remove(struct orders *orders, const struct order *order)
{
	const struct order *found = order_set_find(&orders->set, order);

	if (found == NULL)
		return false;
	note(&orders->removed, found);
	return order_set_remove(&orders->set, order);
}

/* The next of the lines that note has made. */
static bool
next_line(struct span *lines, struct order *order)
{
	size_t end = span_find(*lines, '\n');
	struct span line;

	if (end == SPAN_NONE)
		return false;
	line = span_until(*lines, end);
	*lines = span_from(*lines, end + 1);
	return order_parse(line, order) == 0;
}

static void
undo(struct orders *orders)
{
	struct span added = str_span(&orders->added);
	struct span removed = str_span(&orders->removed);
	struct order order;
	int error = errno;

	while (next_line(&added, &order))
		(void)order_set_remove(&orders->set, &order);
	while (next_line(&removed, &order)) {
		/* it may have been added again in the same go */
		if (order_set_add(&orders->set, &order) == -1)
			warn_sys("cannot keep an order in memory");
	}
	errno = error;
}

/*
 * (1) the new file is written and synced: a crash leaves it in tmp/, which the
 * next start empties. (2) It takes the name: a crash leaves the old or the new
 * one, both whole. (3) The directory is synced: from now on it is the new one.
 */
static int
write_file(struct orders *orders)
{
	struct span text;
	int fd, error;

	str_clear(&orders->text);
	order_set_write(&orders->set, &orders->text);
	text = str_span(&orders->text);
	fd = open(SCRATCH,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd == -1)
		return -1;
	if (store_write_parts(fd, &text, 1) == -1 || fsync(fd) == -1)
		goto fail;
	if (close(fd) == -1) {
		fd = -1;
		goto fail;
	}
	fd = -1;
	if (rename(SCRATCH, ORDER_FILE) == -1)
		goto fail;
	return dir_sync(".") == -1 ? -2 : 0;
fail:
	error = errno;
	fd_close(fd);
	(void)unlink(SCRATCH); /* the next start does it too */
	errno = error;
	return -1;
}

int
orders_store(struct orders *orders)
{
	int result = write_file(orders);

	if (result == -1)
		undo(orders);
	else if (result == 0)
		orders->stale_ms = 0;
	str_clear(&orders->added);
	str_clear(&orders->removed);
	if (orders->text.size > TEXT_KEPT)
		str_free(&orders->text);
	if (orders->added.size + orders->removed.size > TEXT_KEPT) {
		str_free(&orders->added);
		str_free(&orders->removed);
	}
	return result;
}

/* ---- the end of messages ------------------------------------------------ */

void
orders_forget(struct orders *orders, uint64_t id, int64_t now_ms)
{
	if (order_set_forget(&orders->set, id) && orders->stale_ms == 0)
		orders->stale_ms = now_ms;
}

int
orders_tidy(struct orders *orders, int64_t now_ms)
{
	if (orders->stale_ms == 0 || now_ms < orders->stale_ms + ORDERS_LAZY_MS)
		return 0;
	orders->stale_ms = now_ms; /* after trouble: not before as long again */
	return orders_store(orders);
}
