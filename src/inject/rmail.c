/*
 * rmail - take a message that came over UUCP
 * Runs as: the caller, uuxqt mostly    Trusts: nothing but its environment
 * Reads:   the message on 0            Writes: descriptor 0 of sendmail, a pipe
 * Exit:    0 queued; 100 refused for good, or wrong usage; 111 try again
 *
 * Recipients and From_ lines are a neighbour's words. They become arguments
 * behind "--" of bin/sendmail of the home, which takes the rest from there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/str.h"
#include "inject/feeder.h"
#include "inject/uucp.h"
#include "mail/address.h"

enum {
	FROM_LINES_MAX = 64 * 1024, /* bytes of all From_ lines */
};

/*
 * What sendmail says, in two words: programs in its place may use the codes of
 * sysexits.h, of which five are for good. In doubt it may pass.
 */
static int
judge(int code)
{
	enum {
		USAGE = 64,
		DATA_ERROR = 65,
		NO_USER = 67,
		NO_HOST = 68,
		NO_PERMISSION = 77,
	};

	switch (code) {
	case EXIT_OK:
	case EXIT_PERM:
		return code;
	case USAGE:
	case DATA_ERROR:
	case NO_USER:
	case NO_HOST:
	case NO_PERMISSION:
		return EXIT_PERM;
	default:
		return EXIT_TEMP;
	}
}

/* The start of the message, to its end if it is short. True if it is. */
static bool
read_start(struct str *start)
{
	str_reserve(start, FROM_LINES_MAX + 1);
	while (start->len < FROM_LINES_MAX) {
		ssize_t got =
		    read(0, start->s + start->len, FROM_LINES_MAX - start->len);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			die_sys("cannot read the message");
		if (got == 0)
			return true;
		start->len += (size_t)got;
		start->s[start->len] = '\0';
	}
	return false;
}

/* The sender, from the lines at the start, which are used up. */
static enum uucp_result
take_sender(struct str *start, struct str *sender)
{
	bool is_all = read_start(start);
	struct str path = STR_INIT;
	size_t used;
	enum uucp_result result =
	    uucp_take_from(str_span(start), is_all, &path, &used);

	if (result == UUCP_WRONG)
		die_perm("the message has a From_ line without a sender");
	/* the message itself must have begun: else there may be more lines */
	if (!is_all && used > FROM_LINES_MAX / 2)
		die_perm("the message has too many From_ lines");
	uucp_append_address(sender, str_span(&path), true);
	if (sender->len > ADDRESS_MAX)
		die_perm("the sender is too long");
	str_remove_front(start, used);
	str_free(&path);
	return result;
}

int
main(int argc, char **argv)
{
	static char name[] = "sendmail", from[] = "-f", end[] = "--";
	char **args = mem_alloc((size_t)argc + 5, sizeof(*args));
	struct str *recipients =
	    mem_alloc((size_t)argc + 1, sizeof(*recipients));
	struct str start = STR_INIT, sender = STR_INIT, path = STR_INIT;
	size_t count = 0;
	int first = 1, code;

	feeder_init("rmail");
	if (argc > 1 && strcmp(argv[1], end) == 0)
		first = 2;
	else if (argc > 1 && argv[1][0] == '-')
		die_usage("rmail recipient ...");
	if (first >= argc)
		die_usage("rmail recipient ...");
	args[count++] = name;
	if (take_sender(&start, &sender) == UUCP_FOUND) {
		args[count++] = from;
		args[count++] = sender.s;
	}
	args[count++] = end;
	for (int i = first; i < argc; i++) {
		recipients[i] = (struct str)STR_INIT;
		uucp_append_address(&recipients[i], span_of(argv[i]), false);
		args[count++] = recipients[i].s;
	}
	feeder_append_path(&path, name);
	code = judge(feeder_run(str_span(&start), path.s, args));
	for (int i = first; i < argc; i++)
		str_free(&recipients[i]);
	free(recipients);
	free(args);
	str_free(&start);
	str_free(&sender);
	str_free(&path);
	return code;
}
