/*
 * queue/orders of any bytes at the start of qmail-queued (the first byte says
 * whether its checksum is mended): afterwards the file is whole, says what is
 * in memory, and no order about a message that is gone stands; of a damaged
 * file only what holds mail is left.
 */
#include "../fuzz.h"

#include "base/dir.h"
#include "base/pack.h"
#include "queue/orders.h"
#include "queue/store.h"

/* The disk is not for here. */
int
fsync(int fd)
{
	(void)fd;
	return 0;
}

static void
check_file(const struct orders *orders)
{
	struct order_set again = ORDER_SET_INIT;
	struct str file = STR_INIT, want = STR_INIT;

	order_set_write(&orders->set, &want);
	require(file_read(ORDER_FILE, 1 << 20, &file) == 0);
	require(order_set_read(&again, str_span(&file)) == 0);
	require(again.count >= orders->set.count);
	order_set_free(&again);
	str_free(&file);
	str_free(&want);
}

static void
check_orders(const struct orders *orders, bool is_damaged)
{
	const struct order *order;
	uint64_t number = 0;

	while ((order = order_set_next(&orders->set, &number)) != NULL) {
		if (order->kind <= ORDER_OF_MESSAGE)
			require(order->id == 7); /* the only one there is */
		if (is_damaged)
			require(order->kind != ORDER_EXPIRE &&
			    order->kind != ORDER_REMOVE);
	}
}

static void
prepare(void)
{
	static bool is_made;
	struct str failed = STR_INIT;
	struct span empty = {"", 0};

	fuzz_enter_directory();
	if (!is_made) {
		require(store_make_directories(&failed) == 0);
		require(store_create(QUEUE_ENV, 7, &empty, 1) == 0);
	}
	is_made = true;
	str_free(&failed);
}

/* Damaged files are kept; here only one of them. */
static void
forget_damaged(void)
{
	struct str path = STR_INIT;

	str_append_cstr(&path, "damaged/" ORDER_FILE);
	while (unlink(path.s) == 0)
		str_append_char(&path, '+');
	str_free(&path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct order_set before = ORDER_SET_INIT;
	struct str file = STR_INIT;
	struct orders orders;
	bool mended = fuzz_byte(&input) & 1, is_damaged;

	prepare();
	str_copy(&file, input);
	if (mended) {
		if (file.len > 0 && file.s[file.len - 1] != '\n')
			str_append_char(&file, '\n');
		str_append_format(
		    &file, "end %08x\n", crc32c(0, file.s, file.len));
	}
	fuzz_write_file(ORDER_FILE, str_span(&file));
	is_damaged = order_set_read(&before, str_span(&file)) != 0;
	fuzz_hush();
	require(orders_load(&orders) == 0);
	fuzz_speak();
	check_file(&orders);
	check_orders(&orders, is_damaged);
	require((access("damaged/" ORDER_FILE, F_OK) == 0) == is_damaged);
	forget_damaged();
	orders_free(&orders);
	order_set_free(&before);
	str_free(&file);
	return 0;
}
