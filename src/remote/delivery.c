#include "remote/delivery.h"

#include <errno.h>
#include <sys/stat.h>
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

/* Where the mail for a host goes. */
struct plan {
	struct route route;
	bool by_qmtp; /* only: qmtproutes says so */
	struct mx_targets targets;
};

/* What is delivered. */
struct mail {
	struct span sender;
	struct message *message;
	bool fits_qmtp; /* then size_bytes is known */
	uint64_t size_bytes;
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

/* control/outgoingip. 0, or -1. */
static int
load_outgoing(struct outgoing *outgoing)
{
	struct control_table lines = CONTROL_TABLE_INIT;
	int result = control_list("control/outgoingip", &lines);

	for (size_t i = 0; result == 1 && i < lines.entry_count; i++) {
		if (outgoing_add(outgoing, lines.lines[i]) == -1)
			result = -1;
	}
	control_table_free(&lines);
	return result == -1 ? -1 : 0;
}

/* control/moreipme or control/notipme. 0, or -1. */
static int
load_own(struct ip_own *own, const char *path, bool not_own)
{
	struct control_table lines = CONTROL_TABLE_INIT;
	int result = control_list(path, &lines);

	if (result == 1)
		result =
		    ip_own_add(own, not_own, lines.lines, lines.entry_count);
	control_table_free(&lines);
	return result == -1 ? -1 : 0;
}

static const char *
load_addresses(struct delivery *delivery)
{
	if (load_outgoing(&delivery->outgoing) == -1)
		return "Unable to read or understand control/outgoingip.";
	if (ip_own_load(&delivery->own) == -1)
		return "Unable to list my addresses.";
	if (load_own(&delivery->own, "control/moreipme", false) == -1)
		return "Unable to read or understand control/moreipme.";
	if (load_own(&delivery->own, "control/notipme", true) == -1)
		return "Unable to read or understand control/notipme.";
	return NULL;
}

const char *
delivery_load(struct delivery *delivery)
{
	const char *trouble;
	unsigned timeout_s;

	*delivery = (struct delivery){.helohost = STR_INIT,
	    .routes = CONTROL_TABLE_INIT,
	    .qmtp_routes = CONTROL_TABLE_INIT,
	    .outgoing = OUTGOING_INIT,
	    .own = IP_OWN_INIT,
	    .host = STR_INIT};
	smtp_client_init(&delivery->client, TIMEOUT_REMOTE_S);
	qmtp_client_init(&delivery->qmtp, TIMEOUT_REMOTE_S);
	if (control_line_default_me(
		"control/helohost", NULL, &delivery->helohost) != 1)
		return "Unable to read control/me and control/helohost.";
	if (has_line_breaker(str_span(&delivery->helohost)))
		return "Unable to use control/helohost: it has a line end.";
	if (control_map("control/smtproutes", &delivery->routes) == -1)
		return "Unable to read control/smtproutes.";
	if (control_map("control/qmtproutes", &delivery->qmtp_routes) == -1)
		return "Unable to read control/qmtproutes.";
	if (load_seconds("control/timeoutconnect", TIMEOUT_CONNECT_S,
		&delivery->timeout_connect_s) == -1)
		return "Unable to read control/timeoutconnect.";
	if (load_seconds(
		"control/timeoutremote", TIMEOUT_REMOTE_S, &timeout_s) == -1)
		return "Unable to read control/timeoutremote.";
	delivery->client.timeout_s = delivery->qmtp.timeout_s = timeout_s;
	trouble = load_addresses(delivery);
	if (trouble != NULL)
		return trouble;
	delivery->dns = dns_open();
	if (delivery->dns == NULL)
		return errno == EINVAL ? "Unable to understand DNSCACHEIP."
				       : "Unable to start the resolver.";
	return NULL;
}

uint64_t
delivery_stamp(void)
{
	static const char *const files[] = {"control/me", "control/helohost",
	    "control/smtproutes", "control/qmtproutes",
	    "control/timeoutconnect", "control/timeoutremote",
	    "control/outgoingip", "control/moreipme", "control/notipme"};
	uint64_t stamp = 14695981039346656037u; /* FNV-1a, by numbers */

	for (size_t i = 0; i < COUNT(files); i++) {
		uint64_t marks[6] = {0};
		struct stat st;

		if (stat(files[i], &st) == 0) {
			marks[0] = (uint64_t)st.st_ino;
			marks[1] = (uint64_t)st.st_size;
			marks[2] = (uint64_t)st.st_mtim.tv_sec;
			marks[3] = (uint64_t)st.st_mtim.tv_nsec;
			marks[4] = (uint64_t)st.st_ctim.tv_sec;
			marks[5] = (uint64_t)st.st_ctim.tv_nsec;
		}
		for (size_t j = 0; j < COUNT(marks); j++)
			stamp = (stamp ^ marks[j]) * 1099511628211u;
	}
	return stamp;
}

void
delivery_free(struct delivery *delivery)
{
	smtp_client_free(&delivery->client);
	qmtp_client_free(&delivery->qmtp);
	dns_close(delivery->dns);
	ip_own_free(&delivery->own);
	control_table_free(&delivery->routes);
	control_table_free(&delivery->qmtp_routes);
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

/* The line of qmtproutes, else that of smtproutes, which may be none. 0, or -1
   with the verdict set. */
static int
find_route(struct delivery *delivery, struct span host, struct plan *plan,
    struct verdict *verdict)
{
	const char *trouble = NULL;

	switch (route_find_qmtp(&delivery->qmtp_routes, host, &plan->route)) {
	case 1:
		plan->by_qmtp = true;
		break;
	case 0:
		if (route_find(&delivery->routes, host, &plan->route) == -1)
			trouble = "Unable to understand the line of "
				  "control/smtproutes for ";
		break;
	default:
		trouble = "Unable to understand the line of "
			  "control/qmtproutes for ";
		break;
	}
	if (trouble == NULL)
		return 0;
	verdict_set_name(verdict, 'Z', trouble, host, ". (#4.3.0)");
	return -1;
}

/* Finds route and addresses. 0, or -1 with the verdict set. */
static int
find_targets(struct delivery *delivery, struct span host, struct plan *plan,
    struct verdict *verdict)
{
	struct mx_source source = {
	    .ask = ask_dns,
	    .context = delivery->dns,
	    .own = &delivery->own,
	    .has_route = connect_has_route,
	    .seed = (unsigned)clock_mono_ms() ^ (unsigned)getpid() << 12,
	};
	enum mx_status status;

	if (find_route(delivery, host, plan, verdict) == -1)
		return -1;
	if (plan->route.relay.len > 0) {
		host = plan->route.relay;
		status = mx_find_relay(&source, host, &plan->targets);
	} else {
		status = mx_find(&source, host, &plan->targets);
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
	fd = outgoing_connect(
	    &delivery->outgoing, ip, port, delivery->timeout_connect_s);
	tcpto_note(ip, known, fd == -1 && errno == ETIMEDOUT);
	return fd;
}

/* The same for QMTP where SMTP is there as well: a wall around this port says
   nothing about the host, so that tcpto does not hear of it. */
static int
connect_switched(const struct delivery *delivery, const struct ip *ip)
{
	unsigned timeout_s = delivery->timeout_connect_s;
	bool known;

	if (tcpto_is_dead(ip, &known))
		return -1;
	if (timeout_s > DELIVERY_QMTP_CONNECT_S)
		timeout_s = DELIVERY_QMTP_CONNECT_S;
	return outgoing_connect(
	    &delivery->outgoing, ip, ROUTES_QMTP_PORT, timeout_s);
}

/* Hands the message to the connected socket fd. */
static enum smtp_outcome
try_qmtp(struct delivery *delivery, int fd, const struct ip *ip,
    const struct mail *mail, struct verdict *verdict)
{
	qmtp_client_open(&delivery->qmtp, fd, ip);
	return qmtp_client_send(&delivery->qmtp, mail->sender, mail->message,
	    mail->size_bytes, verdict);
}

static enum smtp_outcome
try_smtp(struct delivery *delivery, int fd, const struct ip *ip,
    const struct mail *mail, struct verdict *verdict)
{
	struct smtp_client *client = &delivery->client;

	if (smtp_client_open(
		client, fd, ip, str_span(&delivery->helohost), verdict) == -1)
		return SMTP_TRY_NEXT;
	return smtp_client_send(client, mail->sender, mail->message, verdict);
}

/* One address, first by QMTP if its exchanger says that it speaks that. */
static enum smtp_outcome
try_target(struct delivery *delivery, const struct plan *plan,
    const struct mx_target *target, const struct mail *mail, unsigned *tries,
    struct verdict *verdict)
{
	const struct ip *ip = &target->ip;
	int fd;

	if (!plan->by_qmtp && mx_is_qmtp(target->preference) &&
	    mail->fits_qmtp) {
		fd = connect_switched(delivery, ip);
		if (fd != -1 &&
		    try_qmtp(delivery, fd, ip, mail, verdict) == SMTP_DECIDED)
			return SMTP_DECIDED;
	}
	fd = connect_target(delivery, ip, plan->route.port, tries);
	if (fd == -1)
		return SMTP_TRY_NEXT;
	return plan->by_qmtp ? try_qmtp(delivery, fd, ip, mail, verdict)
			     : try_smtp(delivery, fd, ip, mail, verdict);
}

/* Tries addresses until the verdict is a server's last word. */
static void
try_targets(struct delivery *delivery, const struct plan *plan,
    const struct mail *mail, struct verdict *verdict)
{
	int64_t end_ms = clock_mono_ms() + (int64_t)DELIVERY_SEARCH_S * 1000;
	unsigned tries = 0;

	verdict_set(verdict, 'Z',
	    plan->by_qmtp ? "Sorry, I wasn't able to establish a QMTP "
			    "connection. (#4.4.1)"
			  : "Sorry, I wasn't able to establish an SMTP "
			    "connection. (#4.4.1)");
	for (size_t i = 0; i < plan->targets.count &&
	     tries < DELIVERY_CONNECTS_MAX && clock_mono_ms() < end_ms;
	     i++) {
		if (try_target(delivery, plan, &plan->targets.list[i], mail,
			&tries, verdict) == SMTP_DECIDED)
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

/* QMTP says how long a message is before it sends it. 0, or -1 with the
   verdict set. */
static int
measure(const struct plan *plan, struct mail *mail, struct verdict *verdict)
{
	bool wanted = plan->by_qmtp;

	for (size_t i = 0; i < plan->targets.count; i++)
		wanted = wanted || mx_is_qmtp(plan->targets.list[i].preference);
	if (!wanted)
		return 0;
	if (message_size(mail->message, QMTP_MESSAGE_MAX, &mail->size_bytes) ==
	    0) {
		mail->fits_qmtp = true;
		return 0;
	}
	if (errno != EFBIG)
		verdict_set(
		    verdict, 'Z', "Unable to read the message. (#4.3.0)");
	else if (!plan->by_qmtp && mail->message->is_file)
		return 0; /* by SMTP then */
	else
		verdict_set(verdict, 'D',
		    "Sorry, the message is too large for QMTP. (#5.3.4)");
	return -1;
}

/* Over the connection that is open, if there is one. */
static enum smtp_outcome
try_open(struct delivery *delivery, struct mail *mail, struct verdict *verdict)
{
	if (delivery->client.is_open)
		return smtp_client_send(
		    &delivery->client, mail->sender, mail->message, verdict);
	if (delivery->qmtp.is_open &&
	    message_size(mail->message, QMTP_MESSAGE_MAX, &mail->size_bytes) ==
		0)
		return qmtp_client_send(&delivery->qmtp, mail->sender,
		    mail->message, mail->size_bytes, verdict);
	return SMTP_TRY_NEXT;
}

void
delivery_run(struct delivery *delivery, struct span host, struct span sender,
    int fd, struct verdict *verdict)
{
	struct message message;
	struct mail mail = {.sender = sender, .message = &message};
	struct plan plan = {.by_qmtp = false};

	if (!check_addresses(sender, verdict))
		return;
	message_init(&message, fd);
	if (!span_equal_nocase(str_span(&delivery->host), host))
		delivery_finish(delivery);
	str_copy(&delivery->host, host);
	/* a server may have closed while nobody needed it: then once more */
	if (try_open(delivery, &mail, verdict) == SMTP_TRY_NEXT) {
		delivery_finish(delivery);
		if (find_targets(delivery, host, &plan, verdict) == 0 &&
		    measure(&plan, &mail, verdict) == 0)
			try_targets(delivery, &plan, &mail, verdict);
	}
	message_free(&message);
}

void
delivery_finish(struct delivery *delivery)
{
	smtp_client_quit(&delivery->client);
	qmtp_client_close(&delivery->qmtp);
}
