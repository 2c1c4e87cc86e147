/*
 * qmail-queued - the queue: accepts messages, makes them durable, tells of them
 * Runs as: qmailq:qmail (started as root it drops)
 * Trusts:  the kernel's word on who connects; qmail-send, on what is done
 * Reads:   run/submit.sock, run/control.sock
 * Writes:  queue/, and the two sockets
 * Exit:    0 after TERM; 100 usage; 111 trouble: whatever was acknowledged is
 *          on the disk, and the next start finds it
 *
 * One loop around poll: whatever came in is collected into a batch, the batch
 * is written and synced, then those who wait for it are answered. A write or
 * sync that fails is the end: it is not known what the disk holds, and only
 * recovery finds out.
 */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sig.h"
#include "conf/accounts.h"
#include "queue/cleaners.h"
#include "queue/control_door.h"
#include "queue/ledger.h"
#include "queue/orders.h"
#include "queue/queue_setup.h"
#include "queue/recovery.h"
#include "queue/submit_door.h"

enum {
	LAZY_MS = 200,      /* how long records wait that nobody waits for */
	TICK_MS = 1000,     /* deadlines and disk space are looked at */
	DRAIN_MS = 3000,    /* for submitters, after TERM */
	PREPARE_MS = 60000, /* between attempts to make a segment */
	LARGE_MAX = 128 * 1024,
};

static struct {
	struct queue_options options;
	struct accounts accounts;
	struct cleaners cleaners;
	struct ledger ledger;
	struct orders orders;
	struct submit_door submit;
	struct control_door control;
	int signals;
	int64_t batch_ms;   /* since when records wait, or 0 */
	int64_t prepare_ms; /* not before */
	int64_t end_ms;     /* the last moment after TERM, or 0 */
	struct pollfd *items;
	size_t item_size;
} queue;

/* The end after a failed write or sync. */
NORETURN static void
fail(const char *what)
{
	int error = errno;

	submit_door_fail(&queue.submit);
	errno = error;
	die_sys("%s", what);
}

/* ---- what qmail-clean has done ------------------------------------------ */

static void
on_cleaned(void *owner, const struct clean_job *job, bool ok, struct span error)
{
	struct journal *journal = &queue.ledger.journal;
	size_t slot = (size_t)job->a;

	(void)owner;
	if (!ok)
		warn_plain("qmail-clean: %s", quote_span(error));
	switch (job->kind) {
	case CLEAN_SYNC:
		submit_door_synced(&queue.submit, job->a, ok);
		return;
	case CLEAN_PREPARE:
		if (ok && journal_slot_adopt(journal, slot) == 0)
			return;
		journal->slots[slot].state = JOURNAL_ABSENT;
		queue.prepare_ms = clock_mono_ms() + PREPARE_MS;
		return;
	case CLEAN_REMOVE:
		for (size_t i = 0; ok && i < job->id_count; i++)
			ledger_removed(
			    &queue.ledger, job->ids[i] & ~CLEAN_PLAIN);
		break;
	case CLEAN_CHECKPOINT:
		if (ok)
			journal_checkpointed(journal, slot);
		break;
	}
	if (ok)
		return;
	submit_door_fail(&queue.submit);
	die_temp("cannot go on: the journal must be kept");
}

static void
give_work(int64_t now_ms)
{
	struct journal *journal = &queue.ledger.journal;
	size_t slot;

	while ((slot = journal_take_sealed(journal)) != SPAN_NONE)
		cleaners_add(&queue.cleaners, CLEAN_CHECKPOINT, slot,
		    journal->slots[slot].epoch);
	if (now_ms >= queue.prepare_ms) {
		slot = journal_take_absent(journal);
		if (slot != SPAN_NONE)
			cleaners_add(&queue.cleaners, CLEAN_PREPARE, slot,
			    journal->segment_bytes);
	}
	if (cleaners_dispatch(&queue.cleaners) == -1)
		fail("lost qmail-clean");
}

/* ---- commits ------------------------------------------------------------ */

static bool
commit_is_due(int64_t now_ms)
{
	if (!ledger_has_work(&queue.ledger))
		return false;
	return submit_door_has_batch(&queue.submit) ||
	    submit_door_has_ready(&queue.submit) ||
	    control_door_is_urgent(&queue.control) ||
	    ledger_is_full(&queue.ledger, NULL) || queue.end_ms != 0 ||
	    now_ms - queue.batch_ms >= LAZY_MS;
}

static void
commit_all(int64_t now_ms)
{
	submit_door_fill(&queue.submit);
	if (queue.batch_ms == 0 && ledger_has_work(&queue.ledger))
		queue.batch_ms = now_ms;
	/* if all segments wait for their checkpoint, commits wait too */
	while (commit_is_due(now_ms) &&
	    journal_can_commit(&queue.ledger.journal)) {
		if (ledger_commit(&queue.ledger) == -1)
			fail("cannot write to the journal");
		queue.batch_ms = 0;
		submit_door_committed(&queue.submit);
		control_door_committed(&queue.control, now_ms);
		submit_door_fill(&queue.submit);
		if (ledger_has_work(&queue.ledger))
			queue.batch_ms = now_ms;
	}
	if (!ledger_has_work(&queue.ledger))
		control_door_committed(&queue.control, now_ms);
	control_door_welcome(&queue.control);
}

static void
announce(void *owner, uint64_t id, struct span env)
{
	(void)owner;
	control_door_announce(&queue.control, id, env);
}

/* ---- the loop ----------------------------------------------------------- */

static void
on_signals(int64_t now_ms)
{
	const struct journal *journal = &queue.ledger.journal;
	int number;

	while ((number = sig_next()) != 0) {
		if (number == SIGUSR1)
			warn_plain("stats: messages %llu syncs %llu records "
				   "%llu bytes %llu",
			    (unsigned long long)queue.ledger.message_count,
			    (unsigned long long)journal->sync_count,
			    (unsigned long long)journal->record_count,
			    (unsigned long long)journal->byte_count);
		if (number == SIGUSR1 || queue.end_ms != 0)
			continue;
		/* Who comes now finds no socket, and tries the next
		   qmail-queued; who is in line is served. */
		(void)unlink(QUEUE_SUBMIT_SOCKET);
		submit_door_close(&queue.submit, now_ms);
		queue.end_ms = now_ms + DRAIN_MS;
	}
}

static bool
is_over(int64_t now_ms)
{
	if (queue.end_ms == 0)
		return false;
	if (now_ms >= queue.end_ms)
		return true;
	return queue.submit.count == 0 && !ledger_has_work(&queue.ledger);
}

static int
poll_timeout(int64_t now_ms)
{
	int64_t wait = TICK_MS;

	if (queue.batch_ms != 0 && journal_can_commit(&queue.ledger.journal)) {
		wait = queue.batch_ms + LAZY_MS - now_ms;
		if (wait < 0)
			wait = 0;
	}
	return (int)(wait < TICK_MS ? wait : TICK_MS);
}

static void
turn(void)
{
	size_t need = submit_door_poll_max(&queue.submit) + CONTROL_DOOR_ITEMS +
	    CLEANERS + 1;
	int64_t now_ms = clock_mono_ms();
	struct pollfd *cleaners, *control, *submit;
	size_t submit_count;

	if (need > queue.item_size) {
		queue.items =
		    mem_resize(queue.items, need * 2, sizeof(*queue.items));
		queue.item_size = need * 2;
	}
	cleaners = queue.items + 1;
	control = cleaners + CLEANERS;
	submit = control + CONTROL_DOOR_ITEMS;
	queue.items[0] = (struct pollfd){.fd = queue.signals, .events = POLLIN};
	cleaners_poll(&queue.cleaners, cleaners);
	control_door_poll(&queue.control, control);
	submit_count = submit_door_poll(&queue.submit, submit, now_ms);
	if (poll(queue.items, (nfds_t)(submit - queue.items) + submit_count,
		poll_timeout(now_ms)) == -1) {
		if (errno == EINTR)
			return;
		fail("cannot poll");
	}
	now_ms = clock_mono_ms();
	if (cleaners_receive(&queue.cleaners, cleaners) == -1)
		fail("lost qmail-clean");
	submit_door_serve(&queue.submit, submit, submit_count, now_ms);
	control_door_serve(&queue.control, control);
	if (queue.control.failed)
		fail("cannot go on");
	if (queue.items[0].revents != 0)
		on_signals(now_ms);
	commit_all(now_ms);
	if (orders_tidy(&queue.orders, now_ms) == -2)
		fail("cannot sync queue");
	give_work(now_ms);
}

/* ---- the start ---------------------------------------------------------- */

int
main(int argc, char **argv)
{
	size_t clients;
	int lock;

	die_init("qmail-queued");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	queue_setup_options(argc, argv, &queue.options);
	(void)umask(027);
	queue.signals = queue_setup_signals();
	queue_setup_accounts(&queue.accounts);
	clients = queue_setup_limit(queue.options.clients);
	lock = queue_setup_lock();
	ledger_init(&queue.ledger, &queue.accounts, &queue.cleaners);
	queue_setup_cleaners(&queue.cleaners, argv[0], lock);
	queue_setup_directory();
	queue_setup_sandbox();
	recovery_run(&queue.ledger, queue.options.segments, queue.options.kib);
	if (orders_load(&queue.orders) == -1)
		die_sys("cannot read queue/" ORDER_FILE);
	queue.cleaners.done = on_cleaned;
	/* submit.sock last: whoever can reach it finds all of us at work */
	if (control_door_open(&queue.control, queue_setup_control_socket(),
		&queue.ledger, &queue.orders) == -1 ||
	    submit_door_open(&queue.submit, queue_setup_submit_socket(),
		&queue.ledger, clients) == -1)
		die_temp("out of memory");
	queue.submit.committed = announce;
	queue.submit.rules.large_bytes = queue.options.kib * 1024 / 4;
	if (queue.submit.rules.large_bytes > LARGE_MAX)
		queue.submit.rules.large_bytes = LARGE_MAX;
	while (!is_over(clock_mono_ms()))
		turn();
	(void)unlink(QUEUE_CONTROL_SOCKET); /* the next start does it too */
	return EXIT_OK;
}
