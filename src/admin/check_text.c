#include "admin/check_text.h"

#include <string.h>

#include "base/die.h"
#include "base/num.h"
#include "base/str.h"
#include "conf/patterns.h"
#include "conf/routes.h"
#include "net/dns_answer.h"
#include "net/ip.h"

enum kind {
	VALUE,
	HOST, /* a value that is a host name */
	NUMBER,
	LINES, /* a list of anything */
	HOSTS,
	SUFFIXES, /* hosts, and ".domain" for all below it */
	SENDERS,
	PATTERNS, /* regular expressions */
	SERVERS,
	ROUTES,
	QMTP_ROUTES,
	ADDRESSES,
	RANGES, /* of addresses */
	VIRTUALS,
};

/* empty: what comes of an empty file; NULL: that is a way to say something. */
struct setting {
	const char *name;
	enum kind kind;
	const char *empty;
	const char *zero; /* what comes of the number 0, where that is much */
};

#define NO_HOST "addresses end in a bare @, which no other host accepts"

static const struct setting settings[] = {
    {"badhelo", PATTERNS, NULL, NULL},
    {"badhelonorelay", PATTERNS, NULL, NULL},
    {"badmailfrom", SENDERS, NULL, NULL},
    {"badmailfromnorelay", PATTERNS, NULL, NULL},
    {"badrcptto", PATTERNS, NULL, NULL},
    {"badrcpttonorelay", PATTERNS, NULL, NULL},
    {"bouncefrom", VALUE, "bounces come from a user without a name", NULL},
    {"bouncehost", HOST, NO_HOST, NULL},
    {"bouncemaxbytes", NUMBER, NULL, NULL},
    {"brtlimit", NUMBER, NULL, NULL},
    {"concurrencyhost", NUMBER, NULL, NULL},
    {"concurrencyincoming", NUMBER, NULL, "no SMTP client is served"},
    {"concurrencylocal", NUMBER, NULL, "all local mail is held"},
    {"concurrencyremote", NUMBER, NULL, "all remote mail is held"},
    {"databytes", NUMBER, NULL, NULL},
    {"defaultdelivery", LINES,
	"mail for users without a .qmail file goes nowhere", NULL},
    {"defaultdomain", HOST, "host names without a dot end in a dot", NULL},
    {"defaulthost", HOST, NO_HOST, NULL},
    {"doublebouncehost", HOST, NO_HOST, NULL},
    {"doublebouncerate", NUMBER, NULL, NULL},
    {"doublebounceto", VALUE, NULL, NULL},
    {"envnoathost", HOST, NO_HOST, NULL},
    {"helohost", HOST, "other hosts refuse our greeting", NULL},
    {"idhost", HOST, "Message-IDs have no host", NULL},
    {"localidle", NUMBER, NULL, NULL},
    {"localiphost", HOST, NO_HOST, NULL},
    {"locals", HOSTS, "no host's mail is delivered here", NULL},
    {"maxrcpt", NUMBER, NULL, NULL},
    {"me", HOST, "this host has no name, and most programs need one", NULL},
    {"moreipme", RANGES, NULL, NULL},
    {"morercpthosts", SUFFIXES, NULL, NULL},
    {"morevalidrcptto", SENDERS, NULL, NULL},
    {"notipme", RANGES, NULL, NULL},
    {"outgoingip", ADDRESSES, NULL, NULL},
    {"percenthack", HOSTS, NULL, NULL},
    {"plusdomain", HOST, "host names that end in + end in a dot", NULL},
    {"qmqprotate", NUMBER, NULL, NULL},
    {"qmqpservers", SERVERS, "qmail-qmqpc has no server to hand mail to", NULL},
    {"qmtproutes", QMTP_ROUTES, NULL, NULL},
    {"queuelifetime", NUMBER, NULL,
	"what cannot be delivered at once is returned"},
    {"rcpthosts", SUFFIXES, "SMTP takes mail for no domain at all", NULL},
    {"rejectnullsenders", NUMBER, NULL, NULL},
    {"rejectrelaytest", NUMBER, NULL, NULL},
    {"remoteidle", NUMBER, NULL, NULL},
    {"remotemessages", NUMBER, NULL, NULL},
    {"remoterecipients", NUMBER, NULL, NULL},
    {"smtpgreeting", VALUE, "SMTP clients get a greeting without a name", NULL},
    {"smtpplugins", LINES, NULL, NULL},
    {"smtproutes", ROUTES, NULL, NULL},
    {"softlimit", NUMBER, NULL, "no server starts"},
    {"supplementarygroups", NUMBER, NULL, NULL},
    {"timeoutconnect", NUMBER, NULL, NULL},
    {"timeoutqmqpc", NUMBER, NULL, NULL},
    {"timeoutremote", NUMBER, NULL, NULL},
    {"timeoutsmtpd", NUMBER, NULL, NULL},
    {"validrcptto", SENDERS, "SMTP takes mail for nobody", NULL},
    {"virtualdomains", VIRTUALS, NULL, NULL},
};

/* One file under judgement. */
struct file {
	struct check_report *report;
	const struct setting *setting;
	const char *path;
};

size_t
check_text_count(void)
{
	return COUNT(settings);
}

const char *
check_text_name(size_t number)
{
	return settings[number].name;
}

/* Cuts the next line off, as it stands but for its LF. */
static int
next_raw(struct check_lines *lines, struct span *line)
{
	size_t end = span_find(lines->rest, '\n');

	if (lines->rest.len == 0)
		return 0;
	lines->number++;
	*line = end == SPAN_NONE ? lines->rest : span_until(lines->rest, end);
	lines->rest = span_from(
	    lines->rest, end == SPAN_NONE ? lines->rest.len : end + 1);
	return 1;
}

int
check_lines_next(struct check_lines *lines, struct span *line)
{
	while (next_raw(lines, line)) {
		*line = span_trim_right(*line);
		if (line->len > 0 && line->s[0] != '#')
			return 1;
	}
	return 0;
}

static void
judge_bytes(const struct file *file, struct span text)
{
	static const struct check_advice cr = {
	    "the CR counts as part of the line, which then means nothing",
	    "save the file with plain line ends: sed -i 's/\\r$//' it"};
	static const struct check_advice nul = {
	    "it counts as part of the line, which then means nothing",
	    "write the line again"};
	struct check_lines lines = {.rest = text};
	struct span line;

	while (next_raw(&lines, &line)) {
		line = span_trim_right(line);
		if (line.len > 0 && line.s[line.len - 1] == '\r')
			check_report_add(file->report, cr, file->path,
			    lines.number, "the line ends with a CR");
		if (span_find(line, '\0') != SPAN_NONE)
			check_report_add(file->report, nul, file->path,
			    lines.number, "the line has a NUL byte");
	}
}

/* Values: the first line is all that is read. */
static struct span
first_line(const struct file *file, struct span text)
{
	static const struct check_advice advice = {
	    "only the first line is read", "remove the others"};
	struct check_lines lines = {.rest = text};
	struct span first = {"", 0}, line;

	if (next_raw(&lines, &line))
		first = span_trim_right(line);
	while (next_raw(&lines, &line)) {
		if (span_trim_right(line).len > 0) {
			check_report_add(file->report, advice, file->path,
			    lines.number, "a second line in a file of one");
			break;
		}
	}
	return first;
}

/* The CR was a finding already. */
static struct span
without_cr(struct span line)
{
	while (line.len > 0 && line.s[line.len - 1] == '\r')
		line.len--;
	return line;
}

static void
judge_value(const struct file *file, struct span value)
{
	static const struct check_advice host = {
	    "what is made of it, addresses or greetings, is refused by others",
	    "write a host name: letters, digits, dots, dashes"};
	static const struct check_advice full = {
	    "other hosts refuse the name, and the defaults made from it are "
	    "wrong",
	    "write the name that the DNS has for this host, with its domain"};
	struct ip ip;

	if (value.len == 0) {
		if (file->setting->empty != NULL)
			check_report_add(file->report,
			    (struct check_advice){file->setting->empty,
				"write a value, or remove the file to get the "
				"default"},
			    file->path, 0, "the first line is empty");
		return;
	}
	if (file->setting->kind != HOST)
		return;
	if (strcmp(file->setting->name, "me") == 0 &&
	    (!dns_is_name(value) || span_find(value, '.') == SPAN_NONE ||
		value.s[value.len - 1] == '.'))
		check_report_add(file->report, full, file->path, 1,
		    "%s is not the full name of a host", quote_span(value));
	else if (!dns_is_name(value) && ip_parse_literal(value, &ip) == -1)
		check_report_add(file->report, host, file->path, 1,
		    "%s is no host name", quote_span(value));
}

static void
judge_number(const struct file *file, struct span value)
{
	static const struct check_advice none = {
	    "the file counts as missing: the default holds",
	    "write a number, or remove the file"};
	static const struct check_advice rest = {
	    "only the digits that it starts with count", "write them alone"};
	uint64_t number = 0;
	size_t digits = num_leading_u64(value, &number);

	if (digits == 0)
		check_report_add(file->report, none, file->path, 1,
		    "there is no number at the start of the first line");
	else if (digits < value.len)
		check_report_add(file->report, rest, file->path, 1,
		    "%s is more than a number", quote_span(value));
	else if (number == 0 && file->setting->zero != NULL)
		check_report_add(file->report,
		    (struct check_advice){file->setting->zero,
			"write another number, if this is not meant"},
		    file->path, 1, "the number is 0");
}

static void
judge_host(const struct file *file, size_t number, struct span line)
{
	static const struct check_advice advice = {
	    "no address has such a host, so the line has no effect",
	    "write a host name alone"};
	static const struct check_advice suffix = {
	    "names are compared as a whole here, so the line has no effect",
	    "list each host; virtualdomains and rcpthosts know .domain"};
	struct span name = line;
	struct ip ip;

	if (line.s[0] == '.') {
		if (file->setting->kind == HOSTS)
			check_report_add(file->report, suffix, file->path,
			    number, "%s starts with a dot", quote_span(line));
		name = span_from(line, 1);
	}
	if (!dns_is_name(name) && ip_parse_literal(name, &ip) == -1)
		check_report_add(file->report, advice, file->path, number,
		    "%s is no host name", quote_span(line));
}

static void
judge_sender(const struct file *file, size_t number, struct span line)
{
	static const struct check_advice advice = {
	    "no address is equal to it, so the line has no effect",
	    "write user@host for one address, @host for all of a host"};
	size_t at = span_find_last(line, '@');

	if (at == SPAN_NONE || at + 1 == line.len ||
	    span_find(line, '*') != SPAN_NONE ||
	    span_find(line, '<') != SPAN_NONE ||
	    span_find(line, ' ') != SPAN_NONE)
		check_report_add(file->report, advice, file->path, number,
		    "%s is neither user@host nor @host", quote_span(line));
}

static void
judge_pattern(const struct file *file, size_t number, struct span line)
{
	static const struct check_advice advice = {
	    "qmail-smtpd cannot tell what is meant, and answers all clients "
	    "421",
	    "write an extended regular expression, see qmail-control(5)"};
	struct str cause = STR_INIT;

	if (!pattern_is_valid(line, &cause))
		check_report_add(file->report, advice, file->path, number,
		    "%s: %s", quote_span(line), cause.s);
	str_free(&cause);
}

/* What follows the address is qmail-qmqpc's business. */
static void
judge_server(const struct file *file, size_t number, struct span line)
{
	static const struct check_advice advice = {
	    "qmail-qmqpc skips the line", "write an IP address, not a name"};
	struct ip ip;

	for (size_t i = 0; i < line.len; i++) {
		if (line.s[i] == ' ' || line.s[i] == '\t')
			line = span_until(line, i);
	}
	if (line.len > 0 && line.s[0] == '[' &&
	    span_find(line, ']') != SPAN_NONE)
		line = span_until(line, span_find(line, ']') + 1);
	else if (span_find(line, '.') != SPAN_NONE &&
	    span_find(line, ':') != SPAN_NONE)
		line = span_until(line, span_find(line, ':'));
	if (ip_parse_literal(line, &ip) == -1 && ip_parse(line, &ip) == -1)
		check_report_add(file->report, advice, file->path, number,
		    "%s is no IP address", quote_span(line));
}

static void
judge_pair(const struct file *file, size_t number, struct span line)
{
	static const struct check_advice colon = {
	    "the line is ignored", "write KEY:VALUE, or remove the line"};
	static const struct check_advice route = {
	    "mail for this domain is deferred",
	    "write DOMAIN:RELAY or DOMAIN:RELAY:PORT"};
	static const struct check_advice prefix = {
	    "it becomes the start of a local part, which has no such bytes",
	    "write DOMAIN:USER, without @ and blanks"};
	size_t at = span_find(line, ':');
	struct span value;
	struct route parsed;

	if (at == SPAN_NONE) {
		check_report_add(file->report, colon, file->path, number,
		    "%s has no colon", quote_span(line));
		return;
	}
	value = span_from(line, at + 1);
	if (file->setting->kind == ROUTES ||
	    file->setting->kind == QMTP_ROUTES) {
		if ((file->setting->kind == ROUTES
			    ? route_parse(value, &parsed)
			    : route_parse_qmtp(value, &parsed)) == -1)
			check_report_add(file->report, route, file->path,
			    number, "%s is no relay", quote_span(value));
	} else if (span_find(value, '@') != SPAN_NONE ||
	    span_find(value, ' ') != SPAN_NONE) {
		check_report_add(file->report, prefix, file->path, number,
		    "%s is an odd user", quote_span(value));
	}
}

static void
judge_address(const struct file *file, size_t number, struct span line)
{
	static const struct check_advice address = {
	    "all remote mail is deferred", "write IP addresses, one a line"};
	static const struct check_advice range = {"all remote mail is deferred",
	    "write IP or IP/BITS or IP/MASK, one a line"};
	struct ip_range parsed;
	struct ip ip;

	if (file->setting->kind == ADDRESSES &&
	    ip_parse_literal(line, &ip) == -1)
		check_report_add(file->report, address, file->path, number,
		    "%s is no IP address", quote_span(line));
	if (file->setting->kind == RANGES &&
	    ip_range_parse(line, &parsed) == -1)
		check_report_add(file->report, range, file->path, number,
		    "%s is no range of IP addresses", quote_span(line));
}

static void
judge_line(const struct file *file, size_t number, struct span line)
{
	static const struct check_advice advice = {
	    "the blank counts, so no address fits the line",
	    "remove the blank"};

	if (line.s[0] == ' ' || line.s[0] == '\t') {
		check_report_add(file->report, advice, file->path, number,
		    "the line starts with a blank");
		return;
	}
	switch (file->setting->kind) {
	case HOSTS:
	case SUFFIXES:
		judge_host(file, number, line);
		break;
	case SENDERS:
		judge_sender(file, number, line);
		break;
	case PATTERNS:
		judge_pattern(file, number, line);
		break;
	case SERVERS:
		judge_server(file, number, line);
		break;
	case ADDRESSES:
	case RANGES:
		judge_address(file, number, line);
		break;
	default:
		judge_pair(file, number, line);
		break;
	}
}

static void
judge_list(const struct file *file, struct span text)
{
	struct check_lines lines = {.rest = text};
	struct span line;
	size_t count = 0;

	while (check_lines_next(&lines, &line)) {
		count++;
		line = without_cr(line);
		if (file->setting->kind != LINES && line.len > 0)
			judge_line(file, lines.number, line);
	}
	if (count == 0 && file->setting->empty != NULL)
		check_report_add(file->report,
		    (struct check_advice){file->setting->empty,
			"write the entries, or remove the file to get the "
			"default"},
		    file->path, 0, "there is no entry");
}

void
check_text_judge(struct check_report *report, size_t number, struct span text)
{
	struct str path = STR_INIT;
	struct file file = {report, &settings[number], NULL};

	str_format(&path, "control/%s", file.setting->name);
	file.path = path.s;
	judge_bytes(&file, text);
	switch (file.setting->kind) {
	case VALUE:
	case HOST:
		judge_value(&file, without_cr(first_line(&file, text)));
		break;
	case NUMBER:
		judge_number(&file, without_cr(first_line(&file, text)));
		break;
	default:
		judge_list(&file, text);
		break;
	}
	str_free(&path);
}
