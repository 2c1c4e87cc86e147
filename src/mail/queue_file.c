#include "mail/queue_file.h"

#include <stdbool.h>
#include <string.h>

#include "base/num.h"
#include "base/pack.h"

enum {
	TRAILER_BYTES = 10, /* "C", 8 digits, NUL */
	FAILURE_HEAD_BYTES = 16,
};

const char *const queue_kind_name[QUEUE_KINDS] = {
    "mess", "env", "done", "bounce"};

void
queue_file_path(struct str *path, enum queue_kind kind, uint64_t id)
{
	str_clear(path);
	str_append_cstr(path, queue_kind_name[kind]);
	str_append_char(path, '/');
	str_append_u64(path, id % QUEUE_FILE_SPLIT);
	str_append_char(path, '/');
	str_append_u64(path, id);
}

/* ---- env ---------------------------------------------------------------- */

static void
append_field(struct str *to, char letter, struct span value)
{
	str_append_char(to, letter);
	str_append_span(to, value);
	str_append_char(to, '\0');
}

static void
append_number(struct str *to, char letter, uint64_t value)
{
	str_append_char(to, letter);
	str_append_u64(to, value);
	str_append_char(to, '\0');
}

static void
append_crc(struct str *to, char letter, uint32_t crc)
{
	static const char digits[] = "0123456789abcdef";

	str_append_char(to, letter);
	for (int shift = 28; shift >= 0; shift -= 4)
		str_append_char(to, digits[crc >> shift & 15]);
	str_append_char(to, '\0');
}

void
queue_envelope_append_head(
    struct str *to, const struct queue_envelope *envelope)
{
	str_append_span(to, (struct span){"v1", 3});
	append_number(to, 'u', envelope->uid);
	append_number(to, 'p', envelope->qp);
	append_number(to, 't', envelope->birth_s);
	append_number(to, 's', envelope->size_bytes);
	append_crc(to, 'c', envelope->mess_crc);
	if (envelope->origin.len > 0)
		append_field(to, 'O', envelope->origin);
	append_field(to, 'F', envelope->sender);
	if (envelope->failures.len > 0)
		append_field(to, 'B', envelope->failures);
}

void
queue_envelope_append_recipient(struct str *to, struct span recipient)
{
	append_field(to, 'T', recipient);
}

void
queue_envelope_append_end(struct str *to, size_t start)
{
	append_crc(to, 'C', crc32c(0, to->s + start, to->len - start));
}

static bool
starts_with(struct span rest, char letter)
{
	return rest.len > 0 && rest.s[0] == letter;
}

/* Takes "letter value NUL" off *rest. */
static int
take_field(struct span *rest, char letter, struct span *value)
{
	size_t nul;

	if (!starts_with(*rest, letter))
		return -1;
	nul = span_find(*rest, '\0');
	if (nul == SPAN_NONE)
		return -1;
	*value = (struct span){rest->s + 1, nul - 1};
	*rest = span_from(*rest, nul + 1);
	return 0;
}

/* The same for a field that need not be there; but not without a value. */
static int
take_optional(struct span *rest, char letter, struct span *value)
{
	*value = (struct span){"", 0};
	if (!starts_with(*rest, letter))
		return 0;
	return take_field(rest, letter, value) == -1 || value->len == 0 ? -1
									: 0;
}

/* One spelling only: what was written must come back byte for byte. */
static int
take_number(struct span *rest, char letter, uint64_t *number)
{
	struct span value;

	if (take_field(rest, letter, &value) == -1 ||
	    (value.len > 1 && value.s[0] == '0'))
		return -1;
	return num_parse_u64(value, number);
}

static int
take_crc(struct span *rest, char letter, uint32_t *crc)
{
	struct span value;
	uint32_t sum = 0;

	if (take_field(rest, letter, &value) == -1 || value.len != 8)
		return -1;
	for (size_t i = 0; i < 8; i++) {
		char c = value.s[i];

		if (c >= '0' && c <= '9')
			sum = sum << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			sum = sum << 4 | (uint32_t)(c - 'a' + 10);
		else
			return -1;
	}
	*crc = sum;
	return 0;
}

int
queue_envelope_decode(struct span bytes, struct queue_envelope *envelope)
{
	struct span rest, value, trailer, recipients;
	size_t count = 0;
	uint32_t crc;

	if (bytes.len < TRAILER_BYTES)
		return -1;
	/* the checksum first: nothing else is believed without it */
	rest = span_until(bytes, bytes.len - TRAILER_BYTES);
	trailer = span_from(bytes, rest.len);
	if (take_crc(&trailer, 'C', &crc) == -1 ||
	    crc != crc32c(0, rest.s, rest.len))
		return -1;
	if (take_field(&rest, 'v', &value) == -1 || !span_is(value, "1") ||
	    take_number(&rest, 'u', &envelope->uid) == -1 ||
	    take_number(&rest, 'p', &envelope->qp) == -1 ||
	    take_number(&rest, 't', &envelope->birth_s) == -1 ||
	    take_number(&rest, 's', &envelope->size_bytes) == -1 ||
	    take_crc(&rest, 'c', &envelope->mess_crc) == -1 ||
	    take_optional(&rest, 'O', &envelope->origin) == -1 ||
	    take_field(&rest, 'F', &envelope->sender) == -1 ||
	    take_optional(&rest, 'B', &envelope->failures) == -1)
		return -1;
	envelope->recipients = recipients = rest;
	while (recipients.len > 0) {
		if (queue_envelope_next(&recipients, &value) == 0)
			return -1;
		count++;
	}
	envelope->recipient_count = count;
	return 0;
}

int
queue_envelope_next_as(
    struct span *recipients, struct span *recipient, char *letter)
{
	if (recipients->len == 0)
		return 0;
	*letter = recipients->s[0];
	if (*letter != 'T' && *letter != 'L' && *letter != 'R')
		return 0;
	return take_field(recipients, *letter, recipient) == 0;
}

int
queue_envelope_next(struct span *recipients, struct span *recipient)
{
	char letter;

	return queue_envelope_next_as(recipients, recipient, &letter);
}

struct span
queue_origin_key(struct span origin)
{
	size_t slash = span_find(origin, '/');

	return slash == SPAN_NONE ? origin : span_until(origin, slash);
}

/* ---- bounce ------------------------------------------------------------- */

void
queue_failure_append(
    struct str *to, uint64_t id, const struct queue_failure *failure)
{
	struct span text = failure->text;
	char head[FAILURE_HEAD_BYTES];
	uint32_t crc;

	if (text.len > QUEUE_FILE_TEXT_MAX)
		text.len = QUEUE_FILE_TEXT_MAX;
	pack_u32(head + 4, failure->recipient);
	pack_u32(head + 8, (uint32_t)text.len);
	pack_u32(head + 12, 0);
	crc = crc32c((uint32_t)id, head + 4, sizeof(head) - 4);
	crc = crc32c(crc, text.s, text.len);
	pack_u32(head, crc);
	str_append(to, head, sizeof(head));
	str_append_span(to, text);
}

int
queue_failure_next(
    struct span *bytes, uint64_t id, struct queue_failure *failure)
{
	size_t len;

	if (bytes->len == 0)
		return 0;
	if (bytes->len < FAILURE_HEAD_BYTES)
		return -1;
	len = unpack_u32(bytes->s + 8);
	if (len > QUEUE_FILE_TEXT_MAX ||
	    len > bytes->len - FAILURE_HEAD_BYTES ||
	    unpack_u32(bytes->s + 12) != 0)
		return -1;
	if (crc32c((uint32_t)id, bytes->s + 4, FAILURE_HEAD_BYTES - 4 + len) !=
	    unpack_u32(bytes->s))
		return -1;
	failure->recipient = unpack_u32(bytes->s + 4);
	failure->text = (struct span){bytes->s + FAILURE_HEAD_BYTES, len};
	*bytes = span_from(*bytes, FAILURE_HEAD_BYTES + len);
	return 1;
}
