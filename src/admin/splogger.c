/*
 * splogger - hand log lines to syslog
 * Runs as: qmaill (started by qmail-start), or the caller
 * Trusts:  arguments
 * Reads:   fd 0               Writes: the socket of syslog
 * Exit:    0 fd 0 has ended; 100 wrong usage; 111 fd 0 cannot be read
 */
#include <signal.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "admin/log_record.h"
#include "base/die.h"
#include "base/fd.h"
#include "base/in.h"
#include "base/num.h"
#include "base/sandbox.h"
#include "base/sig.h"

enum {
	FACILITY_MAIL = 2,
	FACILITY_MAX = 23, /* RFC 3164 has no more */
};

static const struct sandbox rights = {
    .may = SANDBOX_LOCAL, /* the socket of syslog, which may be made anew */
};

static char in_buffer[16384];

static void
emit(void *owner, enum log_level level, const char *text)
{
	static const int priorities[] = {
	    [LOG_LEVEL_INFO] = LOG_INFO,
	    [LOG_LEVEL_WARNING] = LOG_WARNING,
	    [LOG_LEVEL_ALERT] = LOG_ALERT,
	};

	(void)owner;
	syslog(priorities[level], "%s", text);
}

static void
now(struct timespec *now)
{
	if (clock_gettime(CLOCK_REALTIME, now) == -1)
		*now = (struct timespec){.tv_sec = time(NULL)};
}

int
main(int argc, char **argv)
{
	struct log_record record = {.emit = emit, .now = now};
	uint64_t facility = FACILITY_MAIL;
	struct in in;
	int got;

	die_init("splogger");
	if (argc > 3 ||
	    (argc == 3 &&
		(num_parse_u64(span_of(argv[2]), &facility) == -1 ||
		    facility > FACILITY_MAX)))
		die_usage("splogger [tag [facility]], with a facility from 0 "
			  "to 23");
	if (fd_guard_standard() == -1)
		die_sys("cannot open /dev/null");
	if (sig_ignore(SIGPIPE) == -1)
		die_sys("cannot ignore SIGPIPE");
	openlog(argc > 1 ? argv[1] : "splogger", 0, (int)facility << 3);
	tzset(); /* the file of the time zone is read: syslog tells local time
		  */
	sandbox_enter(&rights);
	in_init(&in, 0, 0, in_buffer, sizeof(in_buffer));
	while ((got = in_fill(&in)) == 1) {
		struct span bytes = in_buffered(&in);

		log_record_feed(&record, bytes);
		in_skip(&in, bytes.len);
	}
	if (got == -1)
		die_sys("cannot read");
	closelog();
	return EXIT_OK;
}
