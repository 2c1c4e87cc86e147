#include "net/dns_answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	HEADER_SIZE = 12,
	CLASS_IN = 1,
	RCODE_OK = 0,
	RCODE_NO_NAME = 3,
	FLAG_RESPONSE = 0x80, /* in byte 2 */
	FLAG_TRUNCATED = 0x02,
	LABEL_MAX = 63,
	WIRE_NAME_MAX = 255,
	TEXT_NAME_MAX = 253,
	MX_HEAD = 2, /* the preference before the exchange */
};

/* A place in the answer from which the next field is read. */
struct cursor {
	const unsigned char *bytes;
	size_t len, at;
};

/* The head of a resource record, and where its data is. */
struct resource {
	char owner[DNS_NAME_SIZE];
	unsigned type, class;
	size_t data, data_len;
};

static bool
is_host_byte(unsigned char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	    (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' ||
	    byte == '/';
}

bool
dns_is_name(struct span name)
{
	size_t label = 0;

	if (name.len > 0 && name.s[name.len - 1] == '.')
		name = span_until(name, name.len - 1);
	if (name.len == 0 || name.len > TEXT_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (name.s[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!is_host_byte((unsigned char)name.s[i]) ||
		    ++label > LABEL_MAX) {
			return false;
		}
	}
	return label > 0;
}

/* name as it is compared: lower case, no final dot. */
static void
copy_name(char to[DNS_NAME_SIZE], struct span name)
{
	size_t len = name.len;

	if (len > 0 && name.s[len - 1] == '.')
		len--;
	for (size_t i = 0; i < len; i++)
		to[i] = span_lower(name.s[i]);
	to[len] = '\0';
}

static int
take_u16(struct cursor *c, unsigned *value)
{
	if (c->len - c->at < 2)
		return -1;
	*value = (unsigned)c->bytes[c->at] << 8 | c->bytes[c->at + 1];
	c->at += 2;
	return 0;
}

/*
 * Expands the name at the cursor. A pointer must point in front of everything
 * read so far of this name, so that there are fewer jumps than bytes.
 */
static int
take_name(struct cursor *c, char to[DNS_NAME_SIZE])
{
	size_t at = c->at, lowest = c->at, text = 0, wire = 1;
	bool jumped = false;

	for (;;) {
		unsigned len;

		if (at >= c->len)
			return -1;
		len = c->bytes[at++];
		if (len == 0)
			break;
		if (len >= 0xc0) {
			if (at >= c->len)
				return -1;
			len = (len & 0x3f) << 8 | c->bytes[at++];
			if (!jumped)
				c->at = at;
			jumped = true;
			if (len >= lowest)
				return -1;
			at = lowest = len;
			continue;
		}
		wire += len + 1;
		if (len > LABEL_MAX || wire > WIRE_NAME_MAX ||
		    c->len - at < len)
			return -1;
		if (text > 0)
			to[text++] = '.';
		for (unsigned i = 0; i < len; i++) {
			unsigned char byte = c->bytes[at++];

			to[text++] =
			    is_host_byte(byte) ? span_lower((char)byte) : '?';
		}
	}
	to[text] = '\0';
	if (!jumped)
		c->at = at;
	return 0;
}

static int
take_resource(struct cursor *c, struct resource *r)
{
	unsigned len;

	if (take_name(c, r->owner) == -1 || take_u16(c, &r->type) == -1 ||
	    take_u16(c, &r->class) == -1 || c->len - c->at < 4)
		return -1;
	c->at += 4; /* the time to live */
	if (take_u16(c, &len) == -1 || c->len - c->at < len)
		return -1;
	r->data = c->at;
	r->data_len = len;
	c->at += len;
	return 0;
}

/* Checks header and question; leaves the cursor at the first answer. */
static int
take_head(struct cursor *c, const char *name, unsigned type, unsigned *rcode,
    unsigned *answers)
{
	char asked[DNS_NAME_SIZE];
	unsigned questions, asked_type, asked_class;

	if (c->len < HEADER_SIZE || !(c->bytes[2] & FLAG_RESPONSE) ||
	    (c->bytes[2] & FLAG_TRUNCATED))
		return -1;
	*rcode = c->bytes[3] & 0x0f;
	c->at = 4;
	if (take_u16(c, &questions) == -1 || take_u16(c, answers) == -1)
		return -1;
	c->at = HEADER_SIZE;
	if (questions != 1 || take_name(c, asked) == -1 ||
	    take_u16(c, &asked_type) == -1 || take_u16(c, &asked_class) == -1)
		return -1;
	if (strcmp(asked, name) != 0 || asked_type != type ||
	    asked_class != CLASS_IN)
		return -1;
	return 0;
}

/* 1 if r is a good record of the type, 0 if it is not, -1 if it is broken. */
static int
read_data(const struct cursor *answer, const struct resource *r, unsigned type,
    struct dns_record *record)
{
	struct cursor c = *answer;

	if (r->type != type)
		return 0;
	memset(record, 0, sizeof(*record));
	c.at = r->data;
	switch (type) {
	case DNS_TYPE_A:
		if (r->data_len != 4)
			return -1;
		record->ip = ip_from_bytes(4, c.bytes + c.at);
		return 1;
	case DNS_TYPE_AAAA:
		if (r->data_len != 16)
			return -1;
		record->ip = ip_from_bytes(6, c.bytes + c.at);
		return 1;
	case DNS_TYPE_MX:
		if (r->data_len < MX_HEAD + 1 ||
		    take_u16(&c, &record->preference) == -1)
			return -1;
		/* fall through */
	default: /* CNAME, PTR */
		if (take_name(&c, record->name) == -1 ||
		    c.at != r->data + r->data_len)
			return -1;
		return 1;
	}
}

/* The walk over all answers for one name. */
struct pass {
	const char *name;
	unsigned type;
	struct dns_record *list; /* or NULL: count only */
	size_t count;
	bool has_alias;
	char alias[DNS_NAME_SIZE];
};

static int
run_pass(struct cursor c, unsigned answers, struct pass *pass)
{
	struct resource r;
	struct dns_record record;

	pass->count = 0;
	pass->has_alias = false;
	for (unsigned i = 0; i < answers; i++) {
		int good;

		if (take_resource(&c, &r) == -1)
			return -1;
		if (r.class != CLASS_IN || strcmp(r.owner, pass->name) != 0)
			continue;
		good = read_data(&c, &r, DNS_TYPE_CNAME, &record);
		if (good == 1 && !pass->has_alias) {
			pass->has_alias = true;
			memcpy(pass->alias, record.name, sizeof(pass->alias));
		}
		if (good == 0)
			good = read_data(&c, &r, pass->type, &record);
		if (good == -1)
			return -1;
		if (r.type != pass->type || pass->count == DNS_RECORDS_MAX)
			continue;
		if (pass->list != NULL)
			pass->list[pass->count] = record;
		pass->count++;
	}
	return 0;
}

/* Fetches the records of the name that pass found to have some. */
static enum dns_status
collect(struct cursor c, unsigned answers, struct pass *pass,
    struct dns_records *records)
{
	pass->list = mem_try_alloc(pass->count, sizeof(*pass->list));
	if (pass->list == NULL)
		return DNS_SOFT;
	if (run_pass(c, answers, pass) == -1) {
		free(pass->list);
		return DNS_SOFT;
	}
	records->list = pass->list;
	records->count = pass->count;
	return DNS_FOUND;
}

enum dns_status
dns_answer_read(struct span answer, struct span name, unsigned type,
    struct dns_records *records)
{
	struct cursor c = {(const unsigned char *)answer.s, answer.len, 0};
	char current[DNS_NAME_SIZE];
	struct pass pass = {.name = current, .type = type};
	unsigned rcode, answers;

	*records = (struct dns_records)DNS_RECORDS_INIT;
	if (!dns_is_name(name))
		return DNS_SOFT;
	copy_name(current, name);
	if (take_head(&c, current, type, &rcode, &answers) == -1)
		return DNS_SOFT;
	if (rcode != RCODE_OK && rcode != RCODE_NO_NAME)
		return DNS_SOFT;
	for (unsigned i = 0; i <= DNS_CNAME_MAX; i++) {
		if (run_pass(c, answers, &pass) == -1)
			return DNS_SOFT;
		if (pass.count > 0)
			return rcode == RCODE_OK
			    ? collect(c, answers, &pass, records)
			    : DNS_SOFT;
		if (!pass.has_alias)
			return rcode == RCODE_OK ? DNS_NO_DATA : DNS_NO_NAME;
		memcpy(current, pass.alias, sizeof(current));
	}
	return DNS_SOFT; /* aliases in a circle */
}

void
dns_records_free(struct dns_records *records)
{
	free(records->list);
	*records = (struct dns_records)DNS_RECORDS_INIT;
}
