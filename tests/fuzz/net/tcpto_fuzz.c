/*
 * A table of any bytes, and connects that end one way or the other: each note
 * changes one record at most, and is seen by the next who asks; a success
 * ends every pause.
 */
#include "../fuzz.h"

#include "net/tcpto.h"

/* Whether damage has given an address two records. */
static bool
is_twice(const struct tcpto_table *table, const struct ip *ip)
{
	size_t count = 0;

	for (size_t at = 0; at < table->len; at += TCPTO_RECORD_SIZE)
		count += memcmp(table->bytes + at, ip->bytes, 4) == 0;
	return count > 1;
}

static void
note(struct tcpto_table *table, struct span *input)
{
	unsigned char bytes[16] = {192, 0, 2, 0};
	struct tcpto_table before = *table;
	bool timed_out, known;
	int64_t now_s = (int64_t)(fuzz_number(input) & UINT32_MAX);
	struct ip ip;
	size_t at;

	timed_out = fuzz_byte(input) & 1;
	bytes[3] = fuzz_byte(input);
	ip = ip_from_bytes(bytes[3] == 255 ? 6 : 4, bytes);
	at = tcpto_table_note(table, &ip, now_s, timed_out);
	require(table->len == before.len);
	require(at == SPAN_NONE ||
	    (at % TCPTO_RECORD_SIZE == 0 && at < table->len));
	for (size_t i = 0; i < TCPTO_SIZE; i++)
		require(table->bytes[i] == before.bytes[i] ||
		    (at != SPAN_NONE && i >= at && i < at + TCPTO_RECORD_SIZE));
	if (!timed_out && !is_twice(&before, &ip))
		require(!tcpto_table_is_dead(table, &ip, now_s, 0, &known));
	if (timed_out && at != SPAN_NONE) {
		(void)tcpto_table_is_dead(table, &ip, now_s, 0, &known);
		require(known);
		/* no pause has no end */
		require(
		    !tcpto_table_is_dead(table, &ip, now_s + 5840, 31, &known));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size}, file;
	struct tcpto_table table = {.len = 0};
	struct tcpto_entry entry;
	size_t at = 0, count = 0;

	file = fuzz_some(&input, fuzz_byte(&input) * 8u);
	if (file.len > TCPTO_SIZE)
		file.len = TCPTO_SIZE;
	if (file.len > 0)
		memcpy(table.bytes, file.s, file.len);
	table.len = file.len - file.len % TCPTO_RECORD_SIZE;
	while (input.len > 0)
		note(&table, &input);
	while (tcpto_table_next(&table, &at, &entry) == 1) {
		require(entry.count > 0 && entry.ip.version == 4);
		count++;
	}
	require(count <= TCPTO_RECORDS && at == table.len);
	return 0;
}
