#include "admin/check_parts.h"

#include <errno.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/check_text.h"
#include "base/clock.h"
#include "base/die.h"
#include "base/fd.h"
#include "conf/control.h"
#include "conf/routes.h"
#include "net/dns.h"

#define ROUTES "control/smtproutes"

enum {
	NAME_TIME_S = 20,       /* for one name */
	TOTAL_TIME_MS = 120000, /* for all of them */
};

enum answer {
	ANSWER_FOUND,
	ANSWER_NONE,
	ANSWER_LATE,
};

/* Runs in a process of its own, which the parent may end at any time. */
static enum answer
ask(struct span name, bool has_mx)
{
	static const unsigned types[] = {
	    DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_MX};
	struct dns *dns = dns_open();
	enum answer answer = ANSWER_NONE;

	if (dns == NULL)
		return ANSWER_LATE;
	for (size_t i = 0; i < COUNT(types) - !has_mx; i++) {
		struct dns_records records = DNS_RECORDS_INIT;
		enum dns_status status = dns_ask(dns, name, types[i], &records);

		dns_records_free(&records);
		if (status == DNS_FOUND) {
			answer = ANSWER_FOUND;
			break;
		}
		if (status == DNS_SOFT)
			answer = ANSWER_LATE;
	}
	dns_close(dns);
	return answer;
}

static enum answer
ask_in_time(struct span name, bool has_mx)
{
	enum answer answer = ANSWER_LATE;
	char byte;
	int ends[2];
	pid_t child;

	if (fd_pipe(ends) == -1)
		return ANSWER_LATE;
	child = fork();
	if (child == 0) {
		byte = (char)ask(name, has_mx);
		_exit(fd_write_all(ends[1], &byte, 1) == 0 ? 0 : EXIT_TEMP);
	}
	fd_close(ends[1]);
	if (child != -1) {
		if (fd_read_timeout(ends[0], &byte, 1, NAME_TIME_S) == 1)
			answer = (enum answer)byte;
		(void)kill(child, SIGKILL); /* it may be done already */
		while (waitpid(child, NULL, 0) == -1 && errno == EINTR)
			continue;
	}
	fd_close(ends[0]);
	return answer;
}

static void
judge_name(struct check_report *report, const char *file, size_t line,
    struct span name, bool has_mx, int64_t deadline_ms)
{
	static const struct check_advice none = {
	    "mail to it cannot be sent", "correct the name, or the DNS"};
	static const struct check_advice late = {
	    "while that is so, remote mail is deferred",
	    "see that the resolvers of /etc/resolv.conf answer"};
	struct ip ip;

	if (name.len == 0 || ip_parse(name, &ip) == 0 ||
	    ip_parse_literal(name, &ip) == 0 || clock_mono_ms() > deadline_ms)
		return;
	switch (ask_in_time(name, has_mx)) {
	case ANSWER_FOUND:
		break;
	case ANSWER_NONE:
		check_report_add(report, none, file, line,
		    "%s has no address in the DNS", quote_span(name));
		break;
	default:
		check_report_add(report, late, file, line,
		    "no answer about %s from the DNS", quote_span(name));
		break;
	}
}

void
check_dns(struct check_report *report)
{
	int64_t deadline_ms = clock_mono_ms() + TOTAL_TIME_MS;
	struct str text = STR_INIT;
	struct check_lines lines = {0};
	struct span line;
	struct stat st;

	if (control_line("control/me", &text) == 1)
		judge_name(report, "control/me", 1, str_span(&text), true,
		    deadline_ms);
	str_clear(&text);
	if (check_file_read(ROUTES, &text, &st) == 1)
		lines.rest = str_span(&text);
	while (check_lines_next(&lines, &line)) {
		size_t colon = span_find(line, ':');
		struct route route;

		if (colon != SPAN_NONE &&
		    route_parse(span_from(line, colon + 1), &route) == 0)
			judge_name(report, ROUTES, lines.number, route.relay,
			    false, deadline_ms);
	}
	if (clock_mono_ms() > deadline_ms)
		check_report_trouble(report, "the DNS", ETIMEDOUT);
	str_free(&text);
}
