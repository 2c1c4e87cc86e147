#include "queue/letter.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/pack.h"
#include "mail/queue_file.h"
#include "queue/store.h"

void
letter_init(struct letter *letter)
{
	*letter = (struct letter){.origin = STR_INIT,
	    .sender = STR_INIT,
	    .failures = STR_INIT,
	    .recipients = STR_INIT,
	    .body = STR_INIT,
	    .fd = -1};
}

void
letter_free(struct letter *letter)
{
	if (letter->is_large) {
		store_tmp_remove(letter->number, false);
		if (letter->env_file)
			store_tmp_remove(letter->number, true);
	}
	fd_close(letter->fd);
	str_free(&letter->origin);
	str_free(&letter->sender);
	str_free(&letter->failures);
	str_free(&letter->recipients);
	str_free(&letter->body);
	letter_init(letter);
}

uint64_t
letter_env_size(const struct letter *letter)
{
	return (uint64_t)letter->origin.len + letter->sender.len +
	    letter->failures.len + letter->recipients.len;
}

uint64_t
letter_size(const struct letter *letter)
{
	return letter->body_size + letter_env_size(letter);
}

static size_t
count_digits(uint64_t number)
{
	size_t digits = 1;

	while (number >= 10) {
		number /= 10;
		digits++;
	}
	return digits;
}

/* The number that is shown: see above. */
static uint64_t
shown_number(const struct letter *letter, uint64_t id)
{
	if (letter->label != 0)
		return letter->label;
	if (letter->is_large &&
	    count_digits(id) != count_digits(letter->reserved))
		return letter->reserved;
	return id;
}

static void
compose_received(const struct letter *letter, const struct accounts *accounts,
    uint64_t number, struct str *head)
{
	str_clear(head);
	if (letter->origin.len > 0)
		return;
	str_append_cstr(head, "Received: (qmail ");
	str_append_u64(head, number);
	str_append_cstr(head, " invoked ");
	if (accounts->alone)
		str_append_format(
		    head, "by uid %lu", (unsigned long)letter->uid);
	else if (letter->uid == accounts->alias)
		str_append_cstr(head, "by alias");
	else if (letter->uid == accounts->qmaild)
		str_append_cstr(head, "from network");
	else if (letter->uid == accounts->qmails)
		str_append_cstr(head, "for bounce");
	else
		str_append_format(
		    head, "by uid %lu", (unsigned long)letter->uid);
	str_append_cstr(head, "); ");
	clock_append_date(head, letter->start_s);
	str_append_char(head, '\n');
}

void
letter_compose(const struct letter *letter, const struct accounts *accounts,
    uint64_t id, struct str *head, struct str *env)
{
	uint64_t number = shown_number(letter, id);
	struct queue_envelope envelope = {.uid = letter->uid,
	    .qp = number,
	    .birth_s = (uint64_t)letter->accept_s,
	    .origin = str_span(&letter->origin),
	    .sender = str_span(&letter->sender),
	    .failures = str_span(&letter->failures)};
	uint32_t crc;

	compose_received(letter, accounts, number, head);
	crc = crc32c(0, head->s, head->len);
	envelope.mess_crc =
	    crc32c_join(crc, letter->body_crc, letter->body_size);
	envelope.size_bytes = head->len + letter->body_size;
	str_clear(env);
	queue_envelope_append_head(env, &envelope);
	str_append_span(env, str_span(&letter->recipients));
	queue_envelope_append_end(env, 0);
}

size_t
letter_env_head(struct span env)
{
	size_t at = 0;

	/* six fields, none of which can hold a NUL */
	for (int field = 0; field < 6; field++)
		at += span_find(span_from(env, at), '\0') + 1;
	return at;
}

int
letter_make_large(struct letter *letter, const struct accounts *accounts,
    uint64_t number, uint64_t reserved)
{
	struct str head = STR_INIT;
	struct span parts[2];
	int result;

	letter->fd = store_tmp_create(number, false);
	if (letter->fd == -1)
		return -1;
	letter->number = number;
	letter->reserved = reserved;
	letter->is_large = true;
	compose_received(
	    letter, accounts, shown_number(letter, reserved), &head);
	letter->head_len = head.len;
	parts[0] = str_span(&head);
	parts[1] = str_span(&letter->body);
	result = store_write_parts(letter->fd, parts, 2);
	str_free(&head);
	str_free(&letter->body);
	return result;
}

int
letter_append(struct letter *letter, struct span bytes)
{
	letter->body_crc = crc32c(letter->body_crc, bytes.s, bytes.len);
	letter->body_size += bytes.len;
	if (letter->is_large)
		return store_write_parts(letter->fd, &bytes, 1);
	return str_try_append(&letter->body, bytes.s, bytes.len);
}

int
letter_end(struct letter *letter)
{
	int result = 0;

	if (letter->fd != -1 && close(letter->fd) == -1)
		result = -1;
	letter->fd = -1;
	return result;
}

int
letter_write_env(struct letter *letter, const struct accounts *accounts)
{
	struct str head = STR_INIT, env = STR_INIT;
	int fd = store_tmp_create(letter->number, true);
	int result;

	if (fd == -1)
		return -1;
	letter->env_file = true;
	letter_compose(letter, accounts, letter->reserved, &head, &env);
	letter->env_len = env.len;
	result = fd_write_all(fd, env.s, env.len);
	if (close(fd) == -1)
		result = -1;
	str_free(&head);
	str_free(&env);
	return result;
}
