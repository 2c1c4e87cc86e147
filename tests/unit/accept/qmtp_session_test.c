/* messages with CR LF: each way to cut the input gives the same bytes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "accept/qmtp_session.h"
#include "base/attr.h"

/* ---- a queue in memory, in the place of src/net/submit.c ------------------
 */

static struct str stored = STR_INIT;

int
submit_open(struct submit *submit)
{
	memset(submit, 0, sizeof(*submit));
	submit->text = (struct str)STR_INIT;
	str_clear(&stored);
	return 0;
}

void
submit_write(struct submit *submit, const char *bytes, size_t len)
{
	(void)submit;
	str_append(&stored, bytes, len);
}

void
submit_from(struct submit *submit, struct span sender)
{
	(void)submit;
	(void)sender;
}

void
submit_to(struct submit *submit, struct span recipient)
{
	(void)submit;
	(void)recipient;
}

int
submit_finish(struct submit *submit)
{
	submit->qp = 7;
	return 0;
}

void
submit_abort(struct submit *submit)
{
	(void)submit;
}

/* ---- rows ------------------------------------------------------------------
 */

static const struct {
	const char *what;
	struct span input; /* the message, its first byte included */
	struct span want;
} rows[] = {
    {"LF lines stay", SPAN_LITERAL("\na\r\nb\r\r\n\n"),
	SPAN_LITERAL("a\r\nb\r\r\n\n")},
    {"no line", SPAN_LITERAL("\r"), SPAN_LITERAL("")},
    {"CR LF", SPAN_LITERAL("\r\r\n"), SPAN_LITERAL("\n")},
    {"CR LF twice", SPAN_LITERAL("\ra\r\n\r\nb\r\n"), SPAN_LITERAL("a\n\nb\n")},
    {"a CR inside a line", SPAN_LITERAL("\ra\rb\r\n"), SPAN_LITERAL("a\rb\n")},
    {"CR CR LF", SPAN_LITERAL("\ra\r\r\n"), SPAN_LITERAL("a\r\n")},
    {"many CRs", SPAN_LITERAL("\r\r\r\r\r\n\r\r"),
	SPAN_LITERAL("\r\r\r\n\r\r")},
    {"a CR at the end", SPAN_LITERAL("\rend\r"), SPAN_LITERAL("end\r")},
    {"a bare LF", SPAN_LITERAL("\ra\nb\r\n"), SPAN_LITERAL("a\nb\n")},
    {"LF CR", SPAN_LITERAL("\r\n\r"), SPAN_LITERAL("\n\r")},
    {"NUL behind CR", SPAN_LITERAL("\r\r\0\n"), SPAN_LITERAL("\r\0\n")},
    {"nothing like a dot", SPAN_LITERAL("\r\r\n.\r\n..\r\n"),
	SPAN_LITERAL("\n.\n..\n")},
};

static void
decodes(size_t i, size_t buffer)
{
	static struct qmtp_session session;
	struct peer peer = {"h", "192.0.2.7", NULL, "l", ""};
	char in_buf[64], out_buf[512];
	struct str bytes = STR_INIT;
	struct in in;
	struct out out;
	int ends[2];
	char *body;

	str_append_u64(&bytes, rows[i].input.len);
	str_append_char(&bytes, ':');
	str_append_span(&bytes, rows[i].input);
	str_append_cstr(&bytes, ",1:s,4:1:r,,");
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], bytes.s, bytes.len), bytes.len);
	close(ends[1]);
	in_init(&in, ends[0], 10, in_buf, buffer);
	out_init(&out, -1, 10, out_buf, sizeof(out_buf));
	qmtp_session_init(&session, &in, &out, &peer);
	session.mail.databytes = rows[i].want.len;
	assert_int_equal(qmtp_session_run(&session), 0);
	out_buf[out.len] = '\0';
	/* databytes is just enough, whenever it is not 0 */
	assert_non_null(strstr(out_buf, ":Kok "));
	body = strstr(stored.s, " -0000\n");
	assert_non_null(body);
	body += strlen(" -0000\n");
	if ((size_t)(stored.s + stored.len - body) != rows[i].want.len ||
	    memcmp(body, rows[i].want.s, rows[i].want.len) != 0)
		fail_msg("%s, buffer of %zu", rows[i].what, buffer);
	qmtp_session_free(&session);
	str_free(&bytes);
	close(ends[0]);
}

static void
decodes_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t buffer = 1; buffer < 20; buffer++)
			decodes(i, buffer);
	}
	str_free(&stored);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(decodes_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
