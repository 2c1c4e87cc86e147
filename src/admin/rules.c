#include "admin/rules.h"

#include <string.h>

#include "base/str.h"

static const char about[] =
    "# Rules for tcpserver, see tcprules(1): the most specific one counts.\n"
    "# They are obeyed once they are compiled: qmailctl cdb, or make here.\n";

/* This machine may relay, and the administrator sees how others may. */
#define RELAY_HERE                                                             \
	"# A client with RELAYCLIENT may send to every address.\n"             \
	"127.:allow,RELAYCLIENT=\"\"\n"                                        \
	"#192.0.2.:allow,RELAYCLIENT=\"\"\n"
#define FOR_ALL RELAY_HERE "#198.51.100.7:deny\n:allow\n"

static const struct {
	const char *protocol, *text;
} rules[] = {
    {"smtp", FOR_ALL},
    {"submission", RELAY_HERE ":deny\n"},
    {"pop3", "#198.51.100.7:deny\n:allow\n"},
    {"qmtp", FOR_ALL},
    {"qmqp",
	"# Every client that may connect may send to every address.\n"
	"#192.0.2.7:allow\n"
	":deny\n"},
};

/*
 * Works with GNU make and with those of the BSDs. Files come under their names
 * by rename; the umask lets servers read them, which are not root.
 */
static const char makefile[] =
    "# The databases of this mail system, each made again when its source is\n"
    "# newer. Made once by qmail-conf; yours to edit. Run make here, or\n"
    "# qmailctl cdb. What it makes counts at once.\n"
    "DATABASES != for f in tcp.smtp tcp.submission tcp.pop3 tcp.qmtp "
    "tcp.qmqp \\\n"
    "\tmorercpthosts morevalidrcptto ../users/assign; do \\\n"
    "\tcase $$f in \\\n"
    "\t../*) [ ! -f $$f ] || echo ../users/cdb ;; \\\n"
    "\t*) [ ! -f $$f ] || echo $$f.cdb ;; \\\n"
    "\tesac; done\n"
    "COMPILE = umask 022 && tcprules $@ $@.tmp\n"
    "HOME_OF_ALL = cd .. && QMAILHOME=$$(pwd) && export QMAILHOME && "
    "umask 022 &&\n"
    "\n"
    "all: $(DATABASES)\n"
    "\n"
    "tcp.smtp.cdb: tcp.smtp\n"
    "\t$(COMPILE) <tcp.smtp\n"
    "tcp.submission.cdb: tcp.submission\n"
    "\t$(COMPILE) <tcp.submission\n"
    "tcp.pop3.cdb: tcp.pop3\n"
    "\t$(COMPILE) <tcp.pop3\n"
    "tcp.qmtp.cdb: tcp.qmtp\n"
    "\t$(COMPILE) <tcp.qmtp\n"
    "tcp.qmqp.cdb: tcp.qmqp\n"
    "\t$(COMPILE) <tcp.qmqp\n"
    "morercpthosts.cdb: morercpthosts\n"
    "\t$(HOME_OF_ALL) bin/qmail-newmrh\n"
    "morevalidrcptto.cdb: morevalidrcptto\n"
    "\t$(HOME_OF_ALL) bin/qmail-newmvrt\n"
    "../users/cdb: ../users/assign\n"
    "\t$(HOME_OF_ALL) bin/qmail-newu\n";

/* A file of control/, whose name is prefix and name. */
static void
make_file(const struct place *place, const char *prefix, const char *name,
    struct span text)
{
	struct str path = STR_INIT;

	str_format(&path, "control/%s%s", prefix, name);
	(void)place_file(place, path.s, text, 0644);
	str_free(&path);
}

void
rules_make(const struct place *place, const char *protocol)
{
	struct str text = STR_INIT;

	for (size_t i = 0; i < COUNT(rules); i++) {
		if (strcmp(rules[i].protocol, protocol) != 0)
			continue;
		str_format(&text, "%s%s", about, rules[i].text);
		make_file(place, "tcp.", protocol, str_span(&text));
	}
	str_free(&text);
}

void
rules_make_makefile(const struct place *place)
{
	make_file(place, "", "Makefile", span_of(makefile));
}
