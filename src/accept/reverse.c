#include "accept/reverse.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/dns.h"

void
reverse_question(struct str *to, const struct ip *ip)
{
	str_clear(to);
	if (ip->version == 4) {
		for (size_t i = 4; i-- > 0;)
			str_append_format(to, "%u.", ip->bytes[i]);
		str_append_cstr(to, "in-addr.arpa");
		return;
	}
	for (size_t i = 16; i-- > 0;)
		str_append_format(
		    to, "%x.%x.", ip->bytes[i] & 15U, ip->bytes[i] >> 4);
	str_append_cstr(to, "ip6.arpa");
}

/* The first name of the answer that looks like one of a host. */
static enum dns_status
choose(const struct dns_records *records, char name[DNS_NAME_SIZE])
{
	for (size_t i = 0; i < records->count; i++) {
		const char *found = records->list[i].name;

		if (dns_is_name(span_of(found))) {
			memcpy(name, found, strlen(found) + 1);
			return DNS_FOUND;
		}
	}
	return DNS_NO_NAME;
}

static void
ask(struct dns *dns, const struct ip *ip, struct reverse_answer *answer)
{
	struct dns_records records;
	struct str question = STR_INIT;

	memset(answer, 0, sizeof(*answer));
	reverse_question(&question, ip);
	answer->status =
	    dns_ask(dns, str_span(&question), DNS_TYPE_PTR, &records);
	if (answer->status == DNS_FOUND)
		answer->status = choose(&records, answer->name);
	dns_records_free(&records);
	str_free(&question);
}

static NORETURN void
run_child(const struct ip *ips, size_t count, int to)
{
	struct dns *dns = dns_open();
	struct reverse_answer answer;

	for (size_t i = 0; dns != NULL && i < count; i++) {
		ask(dns, &ips[i], &answer);
		if (fd_write_all(to, (const char *)&answer, sizeof(answer)) ==
		    -1)
			break;
	}
	_exit(0);
}

/* One answer of the child, by the deadline. */
static bool
take_answer(int from, int64_t deadline_ms, struct reverse_answer *answer)
{
	char *bytes = (char *)answer;
	size_t len = 0;

	while (len < sizeof(*answer)) {
		int64_t left = deadline_ms - clock_mono_ms();
		ssize_t got;

		if (left <= 0 || fd_wait_readable(from, (int)left) != 1)
			return false;
		got = read(from, bytes + len, sizeof(*answer) - len);
		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		len += (size_t)got;
	}
	answer->name[DNS_NAME_SIZE - 1] = '\0';
	return true;
}

int
reverse_ask(const struct ip *ips, struct reverse_answer *answers, size_t count,
    unsigned timeout_s)
{
	int64_t deadline_ms = clock_mono_ms() + (int64_t)timeout_s * 1000;
	int ends[2];
	pid_t pid;

	if (fd_pipe(ends) == -1)
		return -1;
	pid = fork();
	if (pid == -1) {
		fd_close(ends[0]);
		fd_close(ends[1]);
		return -1;
	}
	if (pid == 0)
		run_child(ips, count, ends[1]);
	fd_close(ends[1]);
	for (size_t i = 0; i < count; i++) {
		if (!take_answer(ends[0], deadline_ms, &answers[i]))
			answers[i].status = DNS_SOFT;
	}
	fd_close(ends[0]);
	(void)kill(pid, SIGKILL); /* mostly it has ended by itself */
	while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		;
	return 0;
}
