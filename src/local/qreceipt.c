/*
 * qreceipt - answer requests for a notice of delivery
 * Runs as: the caller, from a .qmail line   Trusts: its argument, SENDER
 * Reads:   the header of the message on 0   Writes: run/submit.sock
 * Exit:    0 the notice is queued, or none was asked for; 100 refused for good,
 *          wrong usage, or SENDER is not set; 111 try again later
 */
#include <stdbool.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/in.h"
#include "base/str.h"
#include "local/delivery_env.h"
#include "local/tool.h"
#include "mail/address.h"
#include "mail/address_list.h"
#include "mail/header.h"

enum {
	BUFFER = 64 * 1024,
	LINE_MAX_BYTES = HEADER_SIZE_MAX, /* of one line of the header */
	MESSAGE_ID_MAX = 1000,            /* bytes of it that are quoted */
};

/* The header as far as it goes; one that is too big is read in part. */
static void
read_header(struct str *header)
{
	static char buf[BUFFER];
	struct str line = STR_INIT;
	struct in in;
	int got;

	in_init(&in, 0, 0, buf, sizeof(buf));
	while ((got = in_line(&in, &line, LINE_MAX_BYTES)) == 1) {
		if (header_add_line(header, str_span(&line)) != HEADER_MORE)
			break;
	}
	if (got == IN_ERROR)
		die_sys("fatal: cannot read the message");
	str_free(&line);
}

/* True if one of the addresses in a field is ours, byte for byte. */
static bool
has_address(struct span body, struct span address)
{
	/* rules that add nothing: short addresses stay short */
	static const struct rewrite rules = REWRITE_INIT;
	struct address_list list = ADDRESS_LIST_INIT;
	bool found = false;

	/* a fault in the field costs the addresses to the left of it */
	(void)!address_list_parse(&list, NULL, 0, body, &rules);
	for (size_t i = 0; i < list.count; i++) {
		if (span_equal(address_list_get(&list, i), address))
			found = true;
	}
	address_list_free(&list);
	return found;
}

/* True if a notice is asked for; then *id is the first Message-ID, or empty. */
static bool
is_wanted(struct span header, struct span address, struct span *id)
{
	struct header_field field;
	bool found = false;

	*id = SPAN_LITERAL("");
	while (header_next(&header, &field) == 1) {
		if (field.type == HEADER_MESSAGE_ID && id->len == 0)
			*id = span_trim_right(field.whole);
		else if (span_equal_nocase(field.name,
			     SPAN_LITERAL(
				 "Notice-Requested-Upon-Delivery-To")) &&
		    has_address(field.body, address))
			found = true;
	}
	return found;
}

/* Appends an address as a header shows it, on one line whatever is in it. */
static void
append_address(struct str *to, struct span address)
{
	struct str quoted = STR_INIT;

	address_append_quoted(&quoted, address);
	address_append_safe(to, str_span(&quoted), false);
	str_free(&quoted);
}

/* Bytes of strangers: one line, printable. */
static void
append_line(struct str *to, struct span bytes)
{
	for (size_t i = 0; i < bytes.len && i < MESSAGE_ID_MAX; i++) {
		unsigned char byte = (unsigned char)bytes.s[i];

		str_append_char(
		    to, byte < 32 || byte == 127 ? ' ' : (char)byte);
	}
}

static void
append_notice(
    struct str *to, struct span sender, struct span address, struct span id)
{
	str_append_cstr(to, "Date: ");
	clock_append_date(to, clock_now());
	str_append_cstr(to, "\nFrom: ");
	append_address(to, sender);
	str_append_cstr(to, "\nTo: ");
	append_address(to, sender);
	str_append_cstr(to,
	    "\nSubject: success notice\n\n"
	    "Hi. This is the qreceipt program. You have asked for a notice:\n"
	    "your message has been delivered to\n\n    ");
	append_line(to, address);
	str_append_cstr(to, "\n\nIt was the message with\n\n    ");
	append_line(to, id.len > 0 ? id : SPAN_LITERAL("no Message-ID"));
	str_append_char(to, '\n');
}

int
main(int argc, char **argv)
{
	struct str header = STR_INIT, notice = STR_INIT;
	struct span sender, id;

	tool_init("qreceipt");
	if (argc != 2)
		die_usage("qreceipt address");
	sender = span_of(delivery_env_plain(tool_env("SENDER")));
	/* bounces ask for nothing, and nobody would get the answer */
	if (sender.len == 0 || span_is(sender, "#@[]"))
		return EXIT_OK;
	read_header(&header);
	if (is_wanted(str_span(&header), span_of(argv[1]), &id)) {
		append_notice(&notice, sender, span_of(argv[1]), id);
		tool_send(str_span(&notice), SPAN_LITERAL(""), sender);
	}
	str_free(&header);
	str_free(&notice);
	return EXIT_OK;
}
