/*
 * import - takes over every message of a stopped classic qmail queue
 *
 * No recipient is lost or served twice, wherever this is cut off, since the
 * next run goes on from what it finds:
 *  1 the queue there gets a key, durably; its messages will carry it
 *  2 messages with that key are held, durably: none that arrives can vanish
 *    from the queue by being delivered
 *  3 what a run before has left in qmail-queued's socket has its end
 *  4 messages with that key that are in the queue, and those of the list
 *    of finished runs, are passed over; the others are queued
 *  5 again 3; all that are in the queue go into the list, durably
 *  6 they are let go
 * Cut off before 5 the list is made from the queue next time, where all still
 * are since they are held; after 5 from the list.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/import_message.h"
#include "admin/import_record.h"
#include "admin/qtool.h"
#include "admin/queue_control.h"
#include "admin/queue_view.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/out.h"
#include "conf/control.h"
#include "mail/netstring.h"
#include "mail/order.h"
#include "net/submit.h"

enum {
	EXIT_LEFT_OUT = 1,
};

static struct {
	bool check; /* only see whether it could begin */
	bool dry;   /* only say what would be done */
	const char *name;
	int dir, queue_dir;
	struct str key;
	struct import_record record;
	struct classic_queue classic;
	struct import_message message;
	size_t taken, before, finished, not_accepted, trouble;
	size_t local, remote, fresh, bounces; /* recipients, bounces */
	struct out out;
	char out_buffer[8192];
} import = {.key = STR_INIT, .record = IMPORT_RECORD_INIT};

/* ---- the classic queue -------------------------------------------------- */

/* Held until the end, so that qmail-send cannot be started meanwhile. */
static void
lock_out_qmail_send(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = openat(import.dir, "lock/sendmutex",
	    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	bool locked;

	if (fd == -1 && errno == ENOENT)
		return; /* a copy, or never started */
	if (fd == -1)
		die_sys("cannot open %s/lock/sendmutex", quote(import.name));
	locked = flock(fd, LOCK_EX | LOCK_NB) == -1;
	if (locked && errno != EWOULDBLOCK)
		die_sys("cannot lock %s/lock/sendmutex", quote(import.name));
	/* some systems have only this kind of lock */
	if (!locked && fcntl(fd, F_GETLK, &lock) == 0)
		locked = lock.l_type != F_UNLCK;
	if (locked)
		die_temp("a qmail-send is at work in %s: stop it first",
		    quote(import.name));
}

static void
open_classic(const char *name)
{
	struct str failed = STR_INIT;

	import.name = name;
	import.dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (import.dir == -1)
		die_sys("cannot open %s", quote(name));
	if (!classic_queue_is(import.dir))
		die_perm("%s is not a queue of classic qmail", quote(name));
	if (flock(import.dir, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK)
			die_temp(
			    "another import from %s is running", quote(name));
		die_sys("cannot lock %s", quote(name));
	}
	lock_out_qmail_send();
	if (classic_queue_list(&import.classic, import.dir, &failed) == -1)
		die_sys("cannot list %s/%s", quote(name), failed.s);
	str_free(&failed);
	if (import.classic.strange > 0)
		warn_plain("%s: %zu names are no messages; they are left alone",
		    quote(name), import.classic.strange);
}

/* ---- what is here already ------------------------------------------------ */

static void
open_here(void)
{
	struct stat st;

	if (control_home() == -1)
		die_sys("cannot change to %s", quote(control_home_path()));
	import.queue_dir = open("queue", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (import.queue_dir == -1 || fstat(import.queue_dir, &st) == -1)
		die_sys("cannot open queue");
	if (geteuid() != 0 && geteuid() != st.st_uid)
		die_perm("only root and the owner of the queue may do this");
}

static void
load_record(void)
{
	const char *bad = IMPORT_KEY_FILE;
	int result =
	    import_record_load_key(import.dir, !import.dry, &import.key);

	if (result == 0) {
		bad = IMPORT_LIST_FILE;
		result = import_record_load(import.dir, &import.record);
	}
	if (result == 0)
		return;
	if (errno == EBADMSG)
		die_temp("%s/%s is damaged", quote(import.name), bad);
	die_sys("cannot read or write %s/%s", quote(import.name), bad);
}

/* Adds what has our key among the messages of the queue. */
static void
find_queued(void)
{
	struct str env = STR_INIT;
	uint64_t *ids;
	size_t count;

	if (import.key.len == 0)
		return; /* dry, and nothing was ever taken from there */
	if (queue_view_list(import.queue_dir, &ids, &count) == -1)
		die_sys("cannot list queue/env");
	for (size_t i = 0; i < count; i++) {
		struct import_entry entry = {.id = ids[i]};
		struct queue_envelope envelope;
		int found = queue_view_read(import.queue_dir, QUEUE_ENV, ids[i],
		    QUEUE_VIEW_ENV_MAX, &env);

		if (found == -1)
			die_sys("cannot read queue/env of message %" PRIu64,
			    ids[i]);
		if (found == 1 &&
		    queue_envelope_decode(str_span(&env), &envelope) == 0 &&
		    import_record_parse_origin(
			envelope.origin, str_span(&import.key), &entry) == 0)
			import_record_add(&import.record, &entry);
	}
	free(ids);
	str_free(&env);
	import_record_sort(&import.record);
}

/* Whatever was on its way into the queue when this returns is in it, or not. */
static void
settle(void)
{
	struct submit submit;
	int code;

	submit_open_daemon(&submit);
	code = submit_wait(&submit);
	str_free(&submit.text);
	if (code == 66)
		die_temp("qmail-queued is not running");
	if (code != 0)
		die_temp("qmail-queued does not answer: try again");
}

/* Holds all messages with our key, or lets them go; either may be said twice.
   0, or -1 with errno. The order is on the disk then, and qmail-send hears of
   it before any message that comes later. */
static int
ask_hold(bool hold)
{
	struct order order = {
	    .kind = ORDER_HOLD_IMPORT, .key = str_span(&import.key)};
	struct str line = STR_INIT, list = STR_INIT;
	struct queue_control_answer answer;
	struct queue_control control;
	int result;

	if (queue_control_open(&control) == -1)
		return -1;
	order_append(&line, &order);
	netstring_append(&list, str_span(&line));
	result = queue_control_ask(
	    &control, hold ? 'O' : 'U', str_span(&list), &answer);
	/* K it is so now, S or N it was so already */
	if (result == 0 &&
	    (answer.results.len != 1 ||
		(answer.results.s[0] != 'K' &&
		    answer.results.s[0] != (hold ? 'S' : 'N')))) {
		errno = EPROTO;
		result = -1;
	}
	queue_control_close(&control);
	str_free(&line);
	str_free(&list);
	return result;
}

static void
order_hold(bool hold)
{
	if (ask_hold(hold) == 0)
		return;
	if (errno == ENOENT || errno == ECONNREFUSED)
		die_temp("qmail-queued is not running");
	if (hold)
		die_sys("qmail-queued does not take the order to hold");
	die_sys("what was taken over is held, for qmail-queued does not take "
		"the order to release it; run this again");
}

/* ---- messages ------------------------------------------------------------ */

static void
put_message(void)
{
	const struct import_message *message = &import.message;
	struct str line = STR_INIT;

	str_format(&line, "%" PRIu64 ": %zu local, %zu remote, %zu new%s\n",
	    message->number, message->local_count, message->remote_count,
	    message->new_count,
	    message->failures.len > 0 ? " recipients; a bounce is due"
				      : " recipients");
	out_span(&import.out, str_span(&line));
	str_free(&line);
}

static void
count_taken(void)
{
	import.taken++;
	import.local += import.message.local_count;
	import.remote += import.message.remote_count;
	import.fresh += import.message.new_count;
	import.bounces += import.message.failures.len > 0;
}

static void
say_trouble(void)
{
	import.trouble++;
	warn_plain("%s/%s; it is left there", quote(import.name),
	    quote(import.message.trouble.s));
}

/* False if there is no use in going on. */
static bool
take(const struct classic_message *files)
{
	int code;

	if (import.dry) {
		put_message();
		count_taken();
		return true;
	}
	code = import_message_submit(
	    &import.message, &import.classic, files, str_span(&import.key));
	if (code == 0)
		count_taken();
	else if (code == -1)
		say_trouble();
	else
		warn_plain("cannot queue message %" PRIu64 " of %s: %s",
		    files->number, quote(import.name),
		    submit_code_text(code) + 1);
	return code <= 0;
}

static bool
serve(const struct classic_message *files)
{
	struct import_message *message = &import.message;
	struct import_entry entry;

	if (import_message_identify(message, &import.classic, files) == -1) {
		say_trouble();
		return true;
	}
	entry = (struct import_entry){.number = message->number,
	    .size_bytes = message->size_bytes,
	    .mtime_s = message->mtime_s};
	if (files->files[CLASSIC_MESS] != NULL &&
	    import_record_has(&import.record, &entry)) {
		import.before++;
		return true;
	}
	switch (import_message_read(message, &import.classic, files)) {
	case IMPORT_TAKE:
		return take(files);
	case IMPORT_FINISHED:
		import.finished++;
		break;
	case IMPORT_NOT_ACCEPTED:
		import.not_accepted++;
		break;
	case IMPORT_TROUBLE:
		say_trouble();
		break;
	}
	return true;
}

/* ---- the story ----------------------------------------------------------- */

static void
put_summary(void)
{
	struct str text = STR_INIT;

	str_format(&text,
	    "%s: %zu messages %s (recipients: %zu local, %zu remote, %zu new; "
	    "%zu bounces due)\n",
	    quote(import.name), import.taken,
	    import.dry ? "would be taken over" : "taken over", import.local,
	    import.remote, import.fresh, import.bounces);
	str_append_format(&text,
	    "%zu were taken over before, %zu have nothing left to do, %zu were "
	    "never accepted, %zu are in trouble\n",
	    import.before, import.finished, import.not_accepted,
	    import.trouble);
	if (!import.dry)
		str_append_format(&text,
		    "nothing was removed from %s; do not start a qmail-send "
		    "there any more\n",
		    quote(import.name));
	out_span(&import.out, str_span(&text));
	str_free(&text);
	if (out_flush(&import.out) == -1)
		die_sys("cannot write");
}

static void
read_options(int argc, char **argv)
{
	static const char usage[] = "import [-cn] DIR";
	int letter;

	opterr = 0;
	while ((letter = getopt(argc, argv, "cn")) != -1) {
		if (letter == '?')
			qtool_usage(usage);
		import.check = import.check || letter == 'c';
		import.dry = import.dry || letter == 'n';
	}
	if (optind != argc - 1)
		qtool_usage(usage);
}

int
qtool_import(int argc, char **argv)
{
	struct classic_message files;
	bool complete = true;
	size_t at = 0;

	read_options(argc, argv);
	out_init(
	    &import.out, 1, 0, import.out_buffer, sizeof(import.out_buffer));
	import_message_init(&import.message);
	open_classic(argv[optind]);
	if (import.check)
		return EXIT_OK;
	open_here();
	load_record(); /* 1 */
	if (!import.dry) {
		order_hold(true); /* 2 */
		settle();         /* 3 */
	}
	find_queued(); /* 4 */
	while (complete && classic_queue_next(&import.classic, &at, &files))
		complete = serve(&files);
	if (!import.dry) {
		settle(); /* 5 */
		find_queued();
		if (import_record_save(import.dir, &import.record) == -1)
			die_sys("cannot write %s/" IMPORT_LIST_FILE
				"; what was taken over is held: run this again",
			    quote(import.name));
		order_hold(false); /* 6 */
	}
	put_summary();
	import_message_free(&import.message);
	import_record_free(&import.record);
	classic_queue_free(&import.classic);
	str_free(&import.key);
	if (!complete)
		die_temp("it is not complete: run this again");
	return import.trouble > 0 ? EXIT_LEFT_OUT : EXIT_OK;
}
