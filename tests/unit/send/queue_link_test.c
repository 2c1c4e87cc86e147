/* queue_link: what is kept, repeated and forgotten; and id_queue */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "mail/netstring.h"
#include "send/id_queue.h"
#include "send/queue_link.h"

struct fixture {
	char dir[40], path[60];
	int listener, peer;
	struct queue_link link;
};

static void
open_all(struct fixture *f)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/queue_link_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/s", f->dir);
	memcpy(at.sun_path, f->path, strlen(f->path));
	f->listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(
	    bind(f->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(f->listener, 5), 0);
	f->peer = -1;
	queue_link_init(&f->link, f->path);
}

static void
close_all(struct fixture *f)
{
	queue_link_free(&f->link);
	fd_close(f->peer);
	fd_close(f->listener);
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(rmdir(f->dir), 0);
}

/* The next packet that the link sent, as text. */
static void
expect(const struct fixture *f, const char *want)
{
	char buf[1000];
	int passed;
	ssize_t got = fd_receive_packet(f->peer, buf, sizeof(buf) - 1, &passed);

	assert_true(got > 0);
	buf[got] = '\0';
	assert_string_equal(buf, want);
}

static void
say(const struct fixture *f, const char *packet)
{
	assert_int_equal(fd_send_packet(f->peer, span_of(packet), -1), 0);
}

static void
subscribe(struct fixture *f, int64_t now_ms)
{
	uint64_t number;

	fd_close(f->peer);
	assert_int_equal(
	    queue_link_next(&f->link, now_ms, &number), QUEUE_LINK_NONE);
	f->peer = accept(f->listener, NULL, NULL);
	expect(f, "1:S,");
	say(f, "1:H,1:9,");
	assert_int_equal(
	    queue_link_next(&f->link, now_ms, &number), QUEUE_LINK_UP);
	assert_int_equal(number, 9);
}

static void
repeats_what_is_not_durable(void **state)
{
	struct fixture f;
	uint64_t number;
	uint32_t first, second;

	(void)state;
	open_all(&f);
	first = queue_link_delivered(&f.link, 5, 0);
	subscribe(&f, 1000);
	second = queue_link_failed(&f.link, 5, 1, SPAN_LITERAL("no\n"));
	queue_link_barrier(&f.link, 5);
	(void)queue_link_retire(&f.link, 6);
	queue_link_flush(&f.link, 1000);
	expect(&f, "1:D,1:5,1:0,1:F,1:5,1:1,3:no\n,1:B,1:5,");
	expect(&f, "1:R,1:6,");
	say(&f, "1:A,1:1,");
	assert_int_equal(
	    queue_link_next(&f.link, 1000, &number), QUEUE_LINK_NONE);
	assert_true(queue_link_is_durable(&f.link, first));
	assert_false(queue_link_is_durable(&f.link, second));
	/* the other side goes away, with two requests unanswered */
	assert_int_equal(close(f.peer), 0);
	f.peer = -1;
	assert_int_equal(
	    queue_link_next(&f.link, 1000, &number), QUEUE_LINK_LOST);
	assert_int_equal(
	    queue_link_next(&f.link, 1000, &number), QUEUE_LINK_NONE);
	subscribe(&f, 9000);
	queue_link_flush(&f.link, 9000);
	expect(&f, "1:F,1:5,1:1,3:no\n,1:B,1:5,");
	expect(&f, "1:R,1:6,");
	say(&f, "1:A,1:2,");
	assert_int_equal(
	    queue_link_next(&f.link, 9000, &number), QUEUE_LINK_NONE);
	assert_true(queue_link_is_idle(&f.link));
	close_all(&f);
}

/* What is long goes alone, the rest as many as there are bytes for. */
static void
sends_many_requests_in_a_packet(void **state)
{
	char text[QUEUE_LINK_SHARED_MAX];
	struct fixture f;
	size_t packets = 0, requests = 0;
	bool seen_long = false;
	int passed;

	(void)state;
	memset(text, 'x', sizeof(text));
	open_all(&f);
	subscribe(&f, 1000);
	for (uint64_t id = 10; id < 210; id++) {
		(void)queue_link_retire(&f.link, id);
		if (id == 100)
			(void)queue_link_failed(
			    &f.link, id, 0, (struct span){text, sizeof(text)});
	}
	queue_link_flush(&f.link, 1000);
	while (requests < 201) {
		char buf[4 * QUEUE_LINK_SHARED_MAX];
		ssize_t got =
		    fd_receive_packet(f.peer, buf, sizeof(buf), &passed);
		struct span packet = {buf, (size_t)got}, kind, rest;
		uint64_t number;

		assert_true(got > 0);
		packets++;
		while (packet.len > 0) {
			assert_int_equal(netstring_take(&packet, &kind), 0);
			assert_int_equal(
			    netstring_take_u64(&packet, &number), 0);
			requests++;
			if (!span_is(kind, "F"))
				continue;
			seen_long = true;
			assert_true(buf[0] == '1' && buf[2] == 'F');
			assert_int_equal(netstring_take(&packet, &rest), 0);
			assert_int_equal(netstring_take(&packet, &rest), 0);
			assert_int_equal(packet.len, 0);
		}
		assert_true(seen_long || got <= QUEUE_LINK_SHARED_MAX);
	}
	assert_true(seen_long);
	assert_int_equal(requests, 201);
	assert_int_equal(f.link.sent_count, 201);
	assert_true(packets <= 6);
	close_all(&f);
}

static void
believes_no_count_of_what_was_not_sent(void **state)
{
	static const char *const bad[] = {"1:A,1:2,", "1:A,", "1:A,1:x,",
	    "1:H,1:9,", "1:N,", "1:N,1:x,", "1:N,1:1,", "1:N,1:1", "1:Q,1:1,",
	    "2:NN,1:1,", "x", "0:,"};
	struct fixture f;
	uint64_t number;
	int64_t now_ms = 1000;

	(void)state;
	open_all(&f);
	(void)queue_link_retire(&f.link, 6);
	for (size_t i = 0; i < COUNT(bad); i++) {
		subscribe(&f, now_ms);
		queue_link_flush(&f.link, now_ms);
		say(&f, bad[i]);
		assert_int_equal(
		    queue_link_next(&f.link, now_ms, &number), QUEUE_LINK_LOST);
		assert_false(queue_link_is_idle(&f.link));
		now_ms += 10000;
	}
	close_all(&f);
}

static void
tells_each_message_of_a_notice(void **state)
{
	struct fixture f;
	uint64_t number;

	(void)state;
	open_all(&f);
	subscribe(&f, 1000);
	say(&f, "1:N,1:3,3:env,2:40,0:,");
	say(&f, "1:N,2:41,0:,1:x,0:,");
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(
		    queue_link_next(&f.link, 1000, &number), QUEUE_LINK_NEW);
		assert_int_equal(number, i == 0 ? 3 : 39 + i);
		assert_true(span_is(f.link.list, i == 0 ? "env" : ""));
	}
	assert_int_equal(
	    queue_link_next(&f.link, 1000, &number), QUEUE_LINK_LOST);
	/* what is left belongs to a connection that is over */
	subscribe(&f, 9000);
	say(&f, "1:N,2:45,0:,2:46,0:,");
	assert_int_equal(
	    queue_link_next(&f.link, 9000, &number), QUEUE_LINK_NEW);
	queue_link_restart(&f.link, 9000);
	subscribe(&f, 20000);
	assert_int_equal(
	    queue_link_next(&f.link, 20000, &number), QUEUE_LINK_NONE);
	close_all(&f);
}

static void
forgets_what_is_durable(void **state)
{
	struct fixture f;
	uint64_t number;
	size_t most = 0;
	char buf[100];
	int passed;

	(void)state;
	open_all(&f);
	subscribe(&f, 1000);
	for (uint64_t i = 1; i <= 50000; i++) {
		struct str ack = STR_INIT;

		(void)queue_link_delivered(&f.link, i, 0);
		queue_link_flush(&f.link, 1000);
		assert_true(
		    fd_receive_packet(f.peer, buf, sizeof(buf), &passed) > 0);
		netstring_append(&ack, SPAN_LITERAL("A"));
		netstring_append_u64(&ack, i);
		say(&f, ack.s);
		str_free(&ack);
		assert_int_equal(
		    queue_link_next(&f.link, 1000, &number), QUEUE_LINK_NONE);
		if (f.link.requests.len > most)
			most = f.link.requests.len;
	}
	assert_true(queue_link_is_idle(&f.link));
	assert_true(most < 200000);
	close_all(&f);
}

static void
keeps_ids_in_line(void **state)
{
	struct id_queue queue = ID_QUEUE_INIT;

	(void)state;
	assert_false(id_queue_remove(&queue, 1));
	for (uint64_t i = 0; i < 1000; i++) {
		id_queue_add(&queue, i);
		if (i >= 3)
			assert_true(id_queue_remove(&queue, i - 3));
	}
	assert_int_equal(queue.count, 3);
	assert_true(queue.size < 100);
	assert_true(id_queue_remove(&queue, 998)); /* from the middle */
	assert_int_equal(queue.ids[queue.start], 997);
	assert_true(id_queue_remove(&queue, 997));
	assert_int_equal(queue.ids[queue.start], 999);
	id_queue_free(&queue);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(repeats_what_is_not_durable),
	    cmocka_unit_test(sends_many_requests_in_a_packet),
	    cmocka_unit_test(believes_no_count_of_what_was_not_sent),
	    cmocka_unit_test(tells_each_message_of_a_notice),
	    cmocka_unit_test(forgets_what_is_durable),
	    cmocka_unit_test(keeps_ids_in_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
