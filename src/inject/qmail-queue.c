/*
 * qmail-queue - put one message into the queue
 * Runs as: whoever calls it      Trusts: nothing; the kernel tells its uid
 * Reads:   fd 0 the message, fd 1 the envelope    Writes: run/submit.sock
 * Exit:    0 queued and on disk; 11 an address is too long; 51 memory;
 *          52 timeout; 53 write error; 54 message or envelope not whole;
 *          61 home; 66 no qmail-queued; 81 bug; 91 wrong envelope
 *
 * It is the program behind QMAILQUEUE's default, so it ignores that variable.
 * Nothing is queued unless the whole envelope was read: whoever started us may
 * change its mind by closing descriptor 1 early.
 */
#include <unistd.h>

#include "base/die.h"
#include "base/sandbox.h"
#include "inject/queue_interface.h"
#include "net/submit.h"

static struct {
	struct submit submit;
} program;

static const struct sandbox rights = {
    .may = SANDBOX_LOCAL, /* qmail-queued */
};

static void
add_message(struct span piece)
{
	submit_write(&program.submit, piece.s, piece.len);
}

static void
set_sender(struct span address)
{
	submit_from(&program.submit, address);
}

static void
add_recipient(struct span address)
{
	submit_to(&program.submit, address);
}

static void
give_up(int code)
{
	(void)code;
	submit_abort(&program.submit);
}

int
main(void)
{
	static const struct queue_reader reader = {
	    .message = add_message,
	    .sender = set_sender,
	    .recipient = add_recipient,
	    .give_up = give_up,
	    .short_code = QUEUE_READ,
	};

	die_init("qmail-queue");
	queue_interface_open();
	sandbox_enter(&rights);
	submit_open_daemon(&program.submit);
	submit_label(&program.submit, getpid());
	queue_interface_read(&reader);
	return submit_finish(&program.submit);
}
