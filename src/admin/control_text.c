#include "admin/control_text.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/control.h"

enum kind {
	VALUE,    /* default: usual */
	VALUE_ME, /* default: control/me, else usual, else none */
	NUMBER,   /* default: usual */
	LIST,     /* one sentence an entry */
	LIST_ME,  /* default: the one entry control/me */
	MAP,
	DATABASE, /* there or not */
	COMPILED, /* of a list: there, and fresh or not; before names its
		   * program
		   */
};

/*
 * A sentence is before, the value, after. none is said of a file that is
 * missing and has no default, and of a list without entries unless empty says
 * otherwise; empty also of an empty value.
 */
struct setting {
	const char *name;
	enum kind kind;
	const char *usual, *before, *after, *none, *empty;
};

#define RULES(name) "It becomes " name ".cdb: run qmailctl cdb."
#define NO_RULES(name) "There is nothing to make " name ".cdb of."

static const struct setting settings[] = {
    {"badhelo", LIST, NULL, "Mail by SMTP from clients that say HELO like ",
	" is refused.", "No SMTP client is refused for its HELO name.", NULL},
    {"badhelonorelay", LIST, NULL, "Who may not relay is also refused as ", ".",
	"No SMTP client is refused for its HELO name.", NULL},
    {"badmailfrom", LIST, NULL, "Mail by SMTP from ", " is refused.",
	"No sender is refused for its address.", NULL},
    {"badmailfromnorelay", LIST, NULL, "From who may not relay, senders like ",
	" are refused.", "No more senders are refused than badmailfrom names.",
	NULL},
    {"badrcptto", LIST, NULL, "Mail by SMTP for ", " is refused.",
	"No recipient is refused for its address.", NULL},
    {"badrcpttonorelay", LIST, NULL, "From who may not relay, mail for ",
	" is refused.", "No more recipients are refused than badrcptto names.",
	NULL},
    {"bouncefrom", VALUE, "MAILER-DAEMON", "Bounces come from the user ", ".",
	NULL, NULL},
    {"bouncehost", VALUE_ME, "bouncehost", "Bounces come from the host ", ".",
	NULL, NULL},
    {"bouncemaxbytes", NUMBER, "0", "Bounces have at most ",
	" bytes of the message (0: all).", NULL, NULL},
    {"brtlimit", NUMBER, "0", "After ",
	" refused recipients an SMTP client is sent away (0: never).", NULL,
	NULL},
    {"concurrencyhost", NUMBER, "20", "At most ",
	" remote deliveries to one domain run at a time.", NULL, NULL},
    {"concurrencyincoming", NUMBER, "40", "At most ",
	" SMTP connections are served at a time.", NULL, NULL},
    {"concurrencylocal", NUMBER, "10", "At most ",
	" local deliveries run at a time.", NULL, NULL},
    {"concurrencyremote", NUMBER, "20", "At most ",
	" remote deliveries run at a time.", NULL, NULL},
    {"databytes", NUMBER, "0", "Messages are limited to ",
	" bytes (0: no limit).", NULL, NULL},
    {"defaultdelivery", LIST, "./Mailbox",
	"Users without a .qmail file have the line ", " in its place.",
	"Users without a .qmail file have nothing in its place.", NULL},
    {"defaultdomain", VALUE_ME, "defaultdomain",
	"A host name without a dot is in the domain ", ".", NULL, NULL},
    {"defaulthost", VALUE_ME, "defaulthost", "An address without a host is at ",
	".", NULL, NULL},
    {"doublebouncehost", VALUE_ME, "doublebouncehost",
	"Bounces that bounce go to the host ", ".", NULL, NULL},
    {"doublebouncerate", NUMBER, "100", "At most ",
	" bounces that bounce leave in an hour before several share a message"
	" (0: any number).",
	NULL, NULL},
    {"doublebounceto", VALUE, "postmaster",
	"Bounces that bounce go to the user ", ".", NULL,
	"Bounces that bounce are thrown away."},
    {"envnoathost", VALUE_ME, "envnoathost",
	"An envelope recipient without a host is at ", ".", NULL, NULL},
    {"helohost", VALUE_ME, NULL, "To other hosts this host is ", ".",
	"This host has no name for others: nothing is delivered remotely.",
	NULL},
    {"idhost", VALUE_ME, "idhost", "Message-IDs end in ", ".", NULL, NULL},
    {"localidle", NUMBER, "2", "A local worker without work waits ",
	" seconds for more.", NULL, NULL},
    {"localiphost", VALUE_ME, NULL,
	"An address of this host in brackets stands for ", ".",
	"An address of this host in brackets stands for itself.", NULL},
    {"locals", LIST_ME, NULL, "Mail for ", " is delivered here.",
	"Without me there must be a list: qmail-send does not start.",
	"No host's mail is delivered here."},
    {"maxrcpt", NUMBER, "1000", "A message by SMTP may have ", " recipients.",
	NULL, NULL},
    {"me", VALUE, NULL, "This host is ", ".",
	"This host has no name: most programs do not run.", NULL},
    {"moreipme", LIST, NULL, "Mail for ", " would come back to this host.",
	"This host has no addresses but those of its interfaces.", NULL},
    {"morercpthosts", LIST, NULL, "Mail by SMTP for ",
	" is taken too, once qmail-newmrh has run.",
	"There are no more hosts than in rcpthosts.", NULL},
    {"morercpthosts.cdb", COMPILED, NULL, "qmail-newmrh", NULL,
	"It has no effect.", NULL},
    {"morevalidrcptto", LIST, NULL, "By SMTP there is a recipient ",
	", once qmail-newmvrt has run.",
	"There are no more recipients than in validrcptto.", NULL},
    {"morevalidrcptto.cdb", COMPILED, NULL, "qmail-newmvrt", NULL,
	"It has no effect.", NULL},
    {"notipme", LIST, NULL, "Mail for ", " does not come back to this host.",
	"Mail for an address of this host comes back to it.", NULL},
    {"outgoingip", LIST, NULL, "Connections to other hosts leave from ", ".",
	"The system chooses the address that connections leave from.", NULL},
    {"percenthack", LIST, NULL, "user%host@", " means user@host.",
	"A percent sign in an address means nothing.", NULL},
    {"plusdomain", VALUE_ME, "plusdomain",
	"A plus sign at the end of a host name stands for .", ".", NULL, NULL},
    {"qmqprotate", NUMBER, "0",
	"Which QMQP server is asked first (0: always the first): ", ".", NULL,
	NULL},
    {"qmqpservers", LIST, NULL, "qmail-qmqpc hands mail to ", ".",
	"qmail-qmqpc has no server to hand mail to.", NULL},
    {"qmtproutes", MAP, NULL, "Remote mail takes the QMTP route ", ".",
	"Remote mail goes by QMTP only where the DNS says.", NULL},
    {"queuelifetime", NUMBER, "604800", "A message is tried for ", " seconds.",
	NULL, NULL},
    {"rcpthosts", LIST, NULL, "Mail by SMTP for ", " is taken.",
	"Mail by SMTP is taken for locals and virtualdomains only.",
	"Mail by SMTP is taken for recipients without a host only."},
    {"rejectnullsenders", NUMBER, "0",
	"Mail without a sender is refused: ", " (0: no).", NULL, NULL},
    {"rejectrelaytest", NUMBER, "0",
	"Recipients with @, % or ! in the local part are refused: ",
	" (0: no).", NULL, NULL},
    {"remoteidle", NUMBER, "2", "An open connection without work waits ",
	" seconds for more.", NULL, NULL},
    {"remotemessages", NUMBER, "100", "A connection carries at most ",
	" messages.", NULL, NULL},
    {"remoterecipients", NUMBER, "100", "A remote transaction has at most ",
	" recipients.", NULL, NULL},
    {"smtpgreeting", VALUE_ME, NULL, "SMTP clients are greeted with: 220 ", ".",
	"There is no greeting: SMTP clients are sent away.", NULL},
    {"smtpplugins", LIST, NULL, "SMTP conversations are watched over by ", ".",
	"No plugin has a say in SMTP conversations.", NULL},
    {"smtproutes", MAP, NULL, "Remote mail takes the route ", ".",
	"Remote mail goes where the DNS says.", NULL},
    {"softlimit", NUMBER, "100000000", "A server may use ", " bytes of memory.",
	NULL, NULL},
    {"supplementarygroups", NUMBER, "0",
	"Local deliveries have the recipient's other groups (0: no): ", ".",
	NULL, NULL},
    {"tcp.pop3", DATABASE, NULL, RULES("tcp.pop3"), NULL, NO_RULES("tcp.pop3"),
	NULL},
    {"tcp.pop3.cdb", DATABASE, NULL,
	"Rules decide which POP3 clients may connect.", NULL,
	"All POP3 clients may connect.", NULL},
    {"tcp.qmqp", DATABASE, NULL, RULES("tcp.qmqp"), NULL, NO_RULES("tcp.qmqp"),
	NULL},
    {"tcp.qmqp.cdb", DATABASE, NULL,
	"Rules decide which QMQP clients may connect, and so relay.", NULL,
	"No QMQP client may connect.", NULL},
    {"tcp.qmtp", DATABASE, NULL, RULES("tcp.qmtp"), NULL, NO_RULES("tcp.qmtp"),
	NULL},
    {"tcp.qmtp.cdb", DATABASE, NULL,
	"Rules decide which QMTP clients may connect and relay.", NULL,
	"All QMTP clients may connect, and none may relay.", NULL},
    {"tcp.smtp", DATABASE, NULL, RULES("tcp.smtp"), NULL, NO_RULES("tcp.smtp"),
	NULL},
    {"tcp.smtp.cdb", DATABASE, NULL,
	"Rules decide which SMTP clients may connect and relay.", NULL,
	"All SMTP clients may connect, and none may relay.", NULL},
    {"tcp.submission", DATABASE, NULL, RULES("tcp.submission"), NULL,
	NO_RULES("tcp.submission"), NULL},
    {"tcp.submission.cdb", DATABASE, NULL,
	"Rules decide which clients may submit mail.", NULL,
	"No client may submit mail.", NULL},
    {"timeoutconnect", NUMBER, "60", "Another host has ",
	" seconds to take a connection.", NULL, NULL},
    {"timeoutqmqpc", NUMBER, "60", "A QMQP server has ",
	" seconds for each answer.", NULL, NULL},
    {"timeoutremote", NUMBER, "1200", "Another host has ",
	" seconds for each answer.", NULL, NULL},
    {"timeoutsmtpd", NUMBER, "1200", "An SMTP client has ",
	" seconds for each command or piece of a message.", NULL, NULL},
    {"validrcptto", LIST, NULL, "By SMTP there is a recipient ", ".",
	"Recipients are not looked up before mail is taken.",
	"By SMTP there is no recipient at all."},
    {"virtualdomains", MAP, NULL, "Mail takes the virtual domain ", ".",
	"There are no virtual domains.", NULL},
};

size_t
control_text_count(void)
{
	return COUNT(settings);
}

const char *
control_text_name(size_t number)
{
	return settings[number].name;
}

bool
control_text_is_known(const char *name)
{
	if (strcmp(name, "Makefile") == 0) /* how the databases are made */
		return true;
	for (size_t i = 0; i < COUNT(settings); i++) {
		if (strcmp(settings[i].name, name) == 0)
			return true;
	}
	return false;
}

void
control_text_append_safe(struct str *to, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.s[i];

		str_append_char(
		    to, byte < 32 || byte == 127 ? '?' : bytes.s[i]);
	}
}

static void
append_line(struct str *to, const char *sentence)
{
	str_append_cstr(to, sentence);
	str_append_char(to, '\n');
}

static void
append_value(struct str *to, const struct setting *setting, struct span value)
{
	if (value.len == 0 && setting->empty != NULL) {
		append_line(to, setting->empty);
		return;
	}
	str_append_cstr(to, setting->before);
	control_text_append_safe(to, value);
	append_line(to, setting->after);
}

/* The default of a file that is not there. */
static int
append_default(struct str *to, const struct setting *setting)
{
	struct str me = STR_INIT;
	int found = 0;

	if (setting->kind == VALUE_ME || setting->kind == LIST_ME)
		found = control_line("control/me", &me);
	if (found == -1)
		return -1;
	str_append_cstr(to, "(Default.) ");
	if (found == 1)
		append_value(to, setting, str_span(&me));
	else if (setting->usual != NULL)
		append_value(to, setting, span_of(setting->usual));
	else
		append_line(to, setting->none);
	str_free(&me);
	return 0;
}

static int
append_one(struct str *to, const struct setting *setting, const char *path)
{
	struct str value = STR_INIT;
	unsigned long number;
	int found;

	if (setting->kind == NUMBER) {
		found = control_number(path, &number);
		if (found == 1)
			str_append_u64(&value, number);
	} else {
		found = control_line(path, &value);
	}
	if (found == 1)
		append_value(to, setting, str_span(&value));
	str_free(&value);
	return found == 0 ? append_default(to, setting) : found;
}

static int
append_many(struct str *to, const struct setting *setting, const char *path)
{
	struct control_table table = CONTROL_TABLE_INIT;
	int found = setting->kind == MAP ? control_map(path, &table)
					 : control_list(path, &table);

	if (found == 0)
		found = append_default(to, setting);
	else if (found == 1 && table.entry_count == 0)
		append_line(to,
		    setting->empty != NULL ? setting->empty : setting->none);
	else if (found == 1)
		str_append_char(to, '\n');
	for (size_t i = 0; i < table.entry_count; i++)
		append_value(to, setting, table.lines[i]);
	control_table_free(&table);
	return found;
}

/* 1 with *st, 0 if there is no such file, -1. */
static int
look(const char *path, struct stat *st)
{
	if (stat(path, st) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

static int
append_database(struct str *to, const struct setting *setting, const char *path)
{
	struct stat st;
	int found = look(path, &st);

	if (found == 0)
		return append_default(to, setting);
	if (found == 1)
		append_line(to, setting->before);
	return found;
}

/* Only morercpthosts means nothing without another file. */
static int
has_effect(const struct setting *setting)
{
	struct stat rcpthosts;

	if (strcmp(setting->name, "morercpthosts.cdb") != 0)
		return 1;
	return look("control/rcpthosts", &rcpthosts);
}

static int
append_compiled(struct str *to, const struct setting *setting, const char *path)
{
	struct stat list, made;
	struct str source = STR_INIT;
	int has_list, found = look(path, &made), effect = has_effect(setting);
	const char *name;

	str_format(&source, "%s", path);
	str_truncate(&source, source.len - strlen(".cdb"));
	name = source.s + strlen("control/");
	has_list = look(source.s, &list);
	if (has_list == -1 || found == -1 || effect == -1)
		found = -1;
	else if (found == 0 && has_list == 0)
		found = append_default(to, setting);
	else if (found == 0)
		str_append_format(to,
		    "It is missing, so %s has no effect: run %s.\n", name,
		    setting->before);
	else if (effect == 0)
		append_line(to, "Without rcpthosts it has no effect.");
	else if (has_list == 0)
		str_append_format(to,
		    "It is obeyed, but %s, which it was made from, is gone.\n",
		    name);
	else if (list.st_mtim.tv_sec > made.st_mtim.tv_sec ||
	    (list.st_mtim.tv_sec == made.st_mtim.tv_sec &&
		list.st_mtim.tv_nsec > made.st_mtim.tv_nsec))
		str_append_format(to, "It is older than %s: run %s.\n", name,
		    setting->before);
	else
		str_append_format(to, "It is newer than %s.\n", name);
	str_free(&source);
	return found == -1 ? -1 : 0;
}

int
control_text_append(struct str *to, size_t number)
{
	const struct setting *setting = &settings[number];
	struct str path = STR_INIT;
	size_t start = to->len;
	int result;

	str_format(&path, "control/%s", setting->name);
	str_append_format(to, "\n%s: ", setting->name);
	switch (setting->kind) {
	case LIST:
	case LIST_ME:
	case MAP:
		result = append_many(to, setting, path.s);
		break;
	case DATABASE:
		result = append_database(to, setting, path.s);
		break;
	case COMPILED:
		result = append_compiled(to, setting, path.s);
		break;
	default:
		result = append_one(to, setting, path.s);
		break;
	}
	str_free(&path);
	if (result != -1)
		return 0;
	str_truncate(to, start);
	return -1;
}
