/* the resolver's interface is outside POSIX */
#define _DEFAULT_SOURCE 1
#include "net/dns.h"

#include <netinet/in.h>

#include <arpa/nameser.h>

#include <errno.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

enum {
	QUESTION_MAX = 512,
	DNS_PORT = 53,
};

struct dns {
	struct __res_state state;
	unsigned char answer[DNS_ANSWER_MAX];
};

int
dns_parse_server(struct span text, struct ip *ip, unsigned *port)
{
	struct span host = text, rest = {text.s, 0};
	uint64_t number;
	size_t end;

	*port = DNS_PORT;
	if (ip_parse(text, ip) == 0)
		return 0;
	if (text.len > 0 && text.s[0] == '[') {
		end = span_find(text, ']');
		if (end == SPAN_NONE)
			return -1;
		host = span_until(span_from(text, 1), end - 1);
		rest = span_from(text, end + 1);
	} else {
		end = span_find(text, ':');
		if (end == SPAN_NONE)
			return -1;
		host = span_until(text, end);
		rest = span_from(text, end);
	}
	if (ip_parse(host, ip) == -1)
		return -1;
	if (rest.len == 0)
		return 0;
	if (rest.s[0] != ':' ||
	    num_parse_u64(span_from(rest, 1), &number) == -1 || number < 1 ||
	    number > 65535)
		return -1;
	*port = (unsigned)number;
	return 0;
}

/*
 * Three resolvers: glibc's, that of the BSDs with its res_setservers, and the
 * smallest (musl, OpenBSD), which cannot be told to ask another server.
 */
#if defined(__GLIBC__)
static int
set_server(struct __res_state *state, const struct ip *ip, unsigned port)
{
	struct sockaddr_storage address;

	(void)ip_to_sockaddr(ip, port, &address);
	state->nscount = 1;
	state->_u._ext.nscount = 0;
	if (ip->version == 4) {
		memcpy(&state->nsaddr_list[0], &address,
		    sizeof(state->nsaddr_list[0]));
		return 0;
	}
	/* glibc keeps an IPv6 server apart, in memory that res_nclose frees */
	if (state->_u._ext.nsaddrs[0] == NULL) {
		state->_u._ext.nsaddrs[0] =
		    mem_try_alloc(1, sizeof(*state->_u._ext.nsaddrs[0]));
		if (state->_u._ext.nsaddrs[0] == NULL)
			return -1;
	}
	memcpy(state->_u._ext.nsaddrs[0], &address,
	    sizeof(*state->_u._ext.nsaddrs[0]));
	state->nsaddr_list[0].sin_family = 0;
	return 0;
}
#elif defined(__FreeBSD__) || defined(__NetBSD__) || defined(__APPLE__)
static int
set_server(struct __res_state *state, const struct ip *ip, unsigned port)
{
	union res_sockaddr_union server;
	struct sockaddr_storage address;

	memset(&server, 0, sizeof(server));
	if (ip_to_sockaddr(ip, port, &address) == sizeof(server.sin))
		memcpy(&server.sin, &address, sizeof(server.sin));
	else
		memcpy(&server.sin6, &address, sizeof(server.sin6));
	res_setservers(state, &server, 1);
	return 0;
}
#else
static int
set_server(struct __res_state *state, const struct ip *ip, unsigned port)
{
	(void)state;
	(void)ip;
	(void)port;
	errno = ENOTSUP; /* better no answer than one from elsewhere */
	return -1;
}

#define res_ninit(state) ((void)(state), res_init())
#define res_nclose(state) ((void)(state))
#define res_nmkquery(state, op, name, class, type, data, len, rr, buf, size)   \
	res_mkquery(op, name, class, type, data, len, rr, buf, size)
#define res_nsend(state, question, len, answer, size)                          \
	res_send(question, len, answer, size)
#endif

/* A glibc that has no memory in res_ninit keeps its lock: whoever asks again
   waits for ever. */
static bool is_lost;

bool
dns_is_lost(void)
{
	return is_lost;
}

struct dns *
dns_open(void)
{
	const char *wanted = getenv("DNSCACHEIP");
	struct dns *dns = mem_try_alloc(1, sizeof(*dns));
	struct ip ip;
	unsigned port;

	if (dns == NULL)
		return NULL;
	if (is_lost || res_ninit(&dns->state) == -1) {
		is_lost = true;
		free(dns);
		errno = ENOMEM;
		return NULL;
	}
	if (wanted != NULL && wanted[0] != '\0') {
		if (dns_parse_server(span_of(wanted), &ip, &port) == -1) {
			errno = EINVAL;
			goto fail;
		}
		if (set_server(&dns->state, &ip, port) == -1)
			goto fail;
	}
	return dns;
fail:
	dns_close(dns);
	return NULL;
}

void
dns_close(struct dns *dns)
{
	int error = errno;

	if (dns != NULL) {
		res_nclose(&dns->state);
		free(dns);
	}
	errno = error;
}

enum dns_status
dns_ask(struct dns *dns, struct span name, unsigned type,
    struct dns_records *records)
{
	unsigned char question[QUESTION_MAX];
	char cstr[DNS_NAME_SIZE];
	int len;

	*records = (struct dns_records)DNS_RECORDS_INIT;
	if (!dns_is_name(name))
		return DNS_NO_NAME;
	memcpy(cstr, name.s, name.len);
	cstr[name.len] = '\0';
	len = res_nmkquery(&dns->state, ns_o_query, cstr, ns_c_in, (int)type,
	    NULL, 0, NULL, question, sizeof(question));
	if (len <= 0)
		return DNS_SOFT;
	(void)alarm(DNS_TIME_MAX_S);
	len = res_nsend(
	    &dns->state, question, len, dns->answer, (int)sizeof(dns->answer));
	(void)alarm(0);
	if (len <= 0 || (size_t)len > sizeof(dns->answer))
		return DNS_SOFT;
	return dns_answer_read(
	    (struct span){(const char *)dns->answer, (size_t)len}, name, type,
	    records);
}
