#include "remote/delivery.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/routes.h"
#include "mail/address.h"
#include "net/connect.h"
#include "net/tcpto.h"
#include "remote/mx.h"

enum {
	TIMEOUT_CONNECT_S = 60,
	TIMEOUT_REMOTE_S = 1200,
	TIMEOUT_MAX_S = 86400,
};

/* ---- settings ------------------------------------------------------------ */

/* A control file with seconds; 0 is 1. 0, or -1. */
static int
load_seconds(const char *path, unsigned literal, unsigned *seconds)
{
	unsigned long value = literal;

	if (control_number(path, &value) == -1)
		return -1;
	if (value < 1)
		value = 1;
	if (value > TIMEOUT_MAX_S)
		value = TIMEOUT_MAX_S;
	*seconds = (unsigned)value;
	return 0;
}

/* True if bytes would break a command in two. */
static bool
has_line_breaker(struct span bytes)
{
	return span_find(bytes, '\r') != SPAN_NONE ||
	    span_find(bytes, '\n') != SPAN_NONE ||
	    span_find(bytes, '\0') != SPAN_NONE;
}

/* True if address would be more than an address between < and >: quotes keep
   its local part together, but nothing keeps the domain from ending the path
   and adding parameters of its own to the command. */
static bool
has_path_breaker(struct span address)
{
	struct span domain = address_domain(address);

	return span_find(domain, '<') != SPAN_NONE ||
	    span_find(domain, '>') != SPAN_NONE;
}

const char *
delivery_load(struct delivery *delivery)
{
	unsigned timeout_s;

	*delivery = (struct delivery){.helohost = STR_INIT,
	    .routes = CONTROL_TABLE_INIT,
	    .host = STR_INIT};
	smtp_client_init(&delivery->client, TIMEOUT_REMOTE_S);
	if (control_line_default_me(
		"control/helohost", NULL, &delivery->helohost) != 1)
		return "Unable to read control/me and control/helohost.";
	if (has_line_breaker(str_span(&delivery->helohost)))
		return "Unable to use control/helohost: it has a line end.";
	if (control_map("control/smtproutes", &delivery->routes) == -1)
		return "Unable to read control/smtproutes.";
	if (load_seconds("control/timeoutconnect", TIMEOUT_CONNECT_S,
		&delivery->timeout_connect_s) == -1)
		return "Unable to read control/timeoutconnect.";
	if (load_seconds(
		"control/timeoutremote", TIMEOUT_REMOTE_S, &timeout_s) == -1)
		return "Unable to read control/timeoutremote.";
	delivery->client.timeout_s = timeout_s;
	if (ip_own_load(&delivery->own) == -1)
		return "Unable to list my addresses.";
	delivery->dns = dns_open();
	if (delivery->dns == NULL)
		return errno == EINVAL ? "Unable to understand DNSCACHEIP."
				       : "Unable to start the resolver.";
	return NULL;
}

void
delivery_free(struct delivery *delivery)
{
	smtp_client_free(&delivery->client);
	dns_close(delivery->dns);
	ip_own_free(&delivery->own);
	control_table_free(&delivery->routes);
	str_free(&delivery->helohost);
	str_free(&delivery->host);
}

/* ---- which addresses ----------------------------------------------------- */

static enum dns_status
ask_dns(
    void *context, struct span name, unsigned type, struct dns_records *records)
{
	return dns_ask(context, name, type, records);
}

/* Says why there is no address to connect to. */
static void
say_no_target(enum mx_status status, struct span name, struct verdict *verdict)
{
	switch (status) {
	case MX_FOUND:
		break;
	case MX_NO_HOST:
		verdict_set_name(verdict, 'D',
		    "Sorry, I couldn't find any host named ", name,
		    ". (#5.1.2)");
		break;
	case MX_NO_ADDRESS:
		verdict_set_name(verdict, 'D',
		    "Sorry, none of the mail servers named for ", name,
		    " has an address. (#5.4.4)");
		break;
	case MX_IS_ME:
		verdict_set_name(verdict, 'D',
		    "Sorry, the name system says that mail for ", name,
		    " belongs here, but it is in neither control/locals nor "
		    "control/virtualdomains. (#5.4.6)");
		break;
	case MX_NULL:
		verdict_set_name(verdict, 'D', "Sorry, ", name,
		    " says that it takes no mail. (#5.1.10)");
		break;
	case MX_SOFT:
		verdict_set_name(verdict, 'Z',
		    "Sorry, the name system gave no answer about ", name,
		    ". (#4.1.2)");
		break;
	}
}

/* Finds addresses and port. 0, or -1 with the verdict set. */
static int
find_targets(struct delivery *delivery, struct span host,
    struct mx_targets *targets, unsigned *port, struct verdict *verdict)
{
	struct mx_source source = {
	    .ask = ask_dns,
	    .context = delivery->dns,
	    .own = &delivery->own,
	    .has_route = connect_has_route,
	    .seed = (unsigned)clock_mono_ms() ^ (unsigned)getpid() << 12,
	};
	enum mx_status status;
	struct route route;

	if (route_find(&delivery->routes, host, &route) == -1) {
		verdict_set_name(verdict, 'Z',
		    "Unable to understand the line of control/smtproutes "
		    "for ",
		    host, ". (#4.3.0)");
		return -1;
	}
	*port = route.port;
	if (route.relay.len > 0) {
		status = mx_find_relay(&source, route.relay, targets);
		host = route.relay;
	} else {
		status = mx_find(&source, host, targets);
	}
	say_no_target(status, host, verdict);
	return status == MX_FOUND ? 0 : -1;
}

/* ---- one delivery -------------------------------------------------------- */

/* A connected socket, or -1. Dead addresses are not even tried; *tries counts
   the others. */
static int
connect_target(const struct delivery *delivery, const struct ip *ip,
    unsigned port, unsigned *tries)
{
	bool known;
	int fd;

	if (tcpto_is_dead(ip, &known))
		return -1;
	++*tries;
	fd = connect_tcp(ip, port, delivery->timeout_connect_s);
	tcpto_note(ip, known, fd == -1 && errno == ETIMEDOUT);
	return fd;
}

/* Tries addresses until the verdict is a server's last word. */
static void
try_targets(struct delivery *delivery, const struct mx_targets *targets,
    unsigned port, struct span sender, struct message *message,
    struct verdict *verdict)
{
	int64_t end_ms = clock_mono_ms() + (int64_t)DELIVERY_SEARCH_S * 1000;
	struct smtp_client *client = &delivery->client;
	unsigned tries = 0;

	verdict_set(verdict, 'Z',
	    "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)");
	for (size_t i = 0; i < targets->count &&
	     tries < DELIVERY_CONNECTS_MAX && clock_mono_ms() < end_ms;
	     i++) {
		const struct ip *ip = &targets->list[i].ip;
		int fd = connect_target(delivery, ip, port, &tries);

		if (fd == -1)
			continue;
		if (smtp_client_open(client, fd, ip,
			str_span(&delivery->helohost), verdict) == 0 &&
		    smtp_client_send(client, sender, message, verdict) ==
			SMTP_DECIDED)
			return;
	}
}

/* Refuses addresses that would break the dialogue. True if one is left. */
static bool
check_addresses(struct span sender, struct verdict *verdict)
{
	size_t good = 0;

	if (has_line_breaker(sender)) {
		verdict_set(verdict, 'D',
		    "Sorry, the sender's address has a line end in it. "
		    "(#5.1.7)");
		return false;
	}
	if (has_path_breaker(sender)) {
		verdict_set(verdict, 'D',
		    "Sorry, the sender's address has a < or > in its domain. "
		    "(#5.1.7)");
		return false;
	}
	for (size_t i = 0; i < verdict->count; i++) {
		struct verdict_recipient *one = &verdict->recipients[i];

		if (has_line_breaker(one->address))
			verdict_refuse_here(one,
			    "Sorry, the address has a line end in it. "
			    "(#5.1.3)");
		else if (has_path_breaker(one->address))
			verdict_refuse_here(one,
			    "Sorry, the address has a < or > in its domain. "
			    "(#5.1.3)");
		else
			good++;
	}
	if (good == 0)
		verdict_set(verdict, 'D',
		    "Sorry, no recipient can be sent to. (#5.1.3)");
	return good > 0;
}

void
delivery_run(struct delivery *delivery, struct span host, struct span sender,
    int fd, struct verdict *verdict)
{
	struct message message;
	struct mx_targets targets;
	unsigned port;

	if (!check_addresses(sender, verdict))
		return;
	message_init(&message, fd);
	if (!span_equal_nocase(str_span(&delivery->host), host))
		delivery_finish(delivery);
	str_copy(&delivery->host, host);
	/* a server may have closed while nobody needed it: then once more */
	if (delivery->client.is_open &&
	    smtp_client_send(&delivery->client, sender, &message, verdict) ==
		SMTP_DECIDED)
		return;
	if (find_targets(delivery, host, &targets, &port, verdict) == 0)
		try_targets(
		    delivery, &targets, port, sender, &message, verdict);
}

void
delivery_finish(struct delivery *delivery)
{
	smtp_client_quit(&delivery->client);
}
