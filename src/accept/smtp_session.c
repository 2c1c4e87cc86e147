#include "accept/smtp_session.h"

#include <errno.h>
#include <unistd.h>

#include "accept/log_line.h"
#include "accept/own_address.h"
#include "accept/smtp_command.h"
#include "accept/smtp_consult.h"
#include "accept/smtp_receive.h"
#include "base/die.h"
#include "mail/address.h"

static const struct smtp_refusal too_big = {552, "size",
    "552 sorry, that message size exceeds my databytes limit (#5.3.4)"};
static const struct smtp_refusal too_many = {
    452, "maxrcpt", "452 sorry, too many recipients (#4.5.3)"};
static const struct smtp_refusal not_allowed = {553, "rcpthosts",
    "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"};

/* ---- replies and the log --------------------------------------------------
 */

void
smtp_reply(struct smtp_session *session, const char *text)
{
	out_cstr(session->out, text);
	out_cstr(session->out, "\r\n");
}

void
smtp_reply_foreign(struct smtp_session *session, const char *text)
{
	for (; *text != '\0'; text++)
		out_write(
		    session->out, *text >= ' ' && *text <= '~' ? text : "?", 1);
	out_cstr(session->out, "\r\n");
}

static void
reply_greeting(struct smtp_session *session, const char *code, const char *end)
{
	out_cstr(session->out, code);
	out_span(session->out, str_span(&session->config->greeting));
	smtp_reply(session, end);
}

void
smtp_log(
    const struct smtp_session *session, const struct smtp_decision *decision)
{
	struct str line = STR_INIT;

	log_line_add(&line, "ip", span_of(session->peer->ip));
	if (session->has_helo)
		log_line_add(&line, "helo", str_span(&session->helo));
	log_line_add(&line, "from", str_span(&session->sender));
	log_line_add(&line, "to", decision->to);
	if (decision->is_message) {
		log_line_add_u64(&line, "rcpts", session->recipient_count);
		log_line_add_u64(&line, "size", decision->size_bytes);
	}
	log_line_add(&line, "result", span_of(decision->result));
	if (decision->code != 0)
		log_line_add_u64(&line, "code", decision->code);
	if (decision->why != NULL)
		log_line_add(&line, "why", span_of(decision->why));
	if (decision->qp != 0)
		log_line_add_u64(&line, "qp", decision->qp);
	warn_plain("pid=%ld %s", (long)session->pid, line.s);
	str_free(&line);
}

void
smtp_refuse(struct smtp_session *session, const struct smtp_refusal *refusal)
{
	smtp_reply(session, refusal->reply);
	smtp_log(session,
	    &(struct smtp_decision){
		.result = refusal->code >= 500 ? "reject" : "defer",
		.code = refusal->code,
		.why = refusal->why,
		.to = str_span(&session->address)});
}

/* ---- the session's state ---------------------------------------------------
 */

void
smtp_session_init(struct smtp_session *session, struct in *in, struct out *out,
    struct smtp_config *config, struct peer *peer)
{
	session->in = in;
	session->out = out;
	session->config = config;
	session->peer = peer;
	session->pid = getpid();
	session->line = session->helo = session->sender = session->address =
	    session->recipients = (struct str)STR_INIT;
	session->recipient_count = session->asked_count = 0;
	session->has_helo = session->has_mail = false;
	session->refusal = NULL;
	session->bad_recipients = 0;
	session->overlong = session->unknown = 0;
}

void
smtp_session_free(struct smtp_session *session)
{
	str_free(&session->line);
	str_free(&session->helo);
	str_free(&session->sender);
	str_free(&session->address);
	str_free(&session->recipients);
}

void
smtp_session_reset(struct smtp_session *session)
{
	str_clear(&session->sender);
	str_clear(&session->recipients);
	session->recipient_count = session->asked_count = 0;
	session->has_mail = false;
	session->refusal = NULL;
	smtp_plugins_reset(&session->config->plugins);
}

/* ---- commands --------------------------------------------------------------
 */

enum smtp_next
smtp_refuse_controls(struct smtp_session *session)
{
	smtp_reply(session, "421 unable to read controls (#4.3.0)");
	return SMTP_LEAVE;
}

/*
 * Puts localiphost in the place of an address literal of our own at the end
 * of session->address. SMTP_GO_ON also if there is nothing to replace.
 */
static enum smtp_next
replace_own_literal(struct smtp_session *session)
{
	struct str host = STR_INIT;
	size_t at = address_at(str_span(&session->address));
	enum smtp_next next = SMTP_GO_ON;
	int found;

	if (at == SPAN_NONE)
		return SMTP_GO_ON;
	found = own_address_is(span_from(str_span(&session->address), at + 1));
	if (found == -1) {
		smtp_reply(session,
		    "421 unable to figure out my IP addresses (#4.3.0)");
		return SMTP_LEAVE;
	}
	if (found == 0)
		return SMTP_GO_ON;
	found = smtp_config_literal_host(session->config, &host);
	if (found == -1) {
		next = smtp_refuse_controls(session);
	} else if (found == 1) {
		str_truncate(&session->address, at + 1);
		str_append_span(&session->address, str_span(&host));
	}
	str_free(&host);
	return next;
}

/*
 * Reads the path in argument into session->address. Sets *ok, or replies and
 * clears it. A NUL would end the address early in the envelope, and a CR would
 * be a line end to some program: both are refused.
 */
static enum smtp_next
read_address(struct smtp_session *session, struct span argument,
    struct span *parameters, bool *ok)
{
	enum smtp_next next;
	struct span address;

	*ok = false;
	if (address_parse_path(argument, &session->address, parameters) == -1)
		*parameters = (struct span){"", 0}; /* the empty address */
	next = replace_own_literal(session);
	if (next != SMTP_GO_ON)
		return next;
	address = str_span(&session->address);
	*ok = address.len <= SMTP_ADDRESS_MAX &&
	    span_find(address, '\0') == SPAN_NONE &&
	    span_find(address, '\r') == SPAN_NONE;
	if (!*ok)
		smtp_reply(session, "555 syntax error (#5.5.4)");
	return SMTP_GO_ON;
}

/* After too many recipients that are refused the client is sent away. */
static enum smtp_next
refuse_recipient(
    struct smtp_session *session, const struct smtp_refusal *refusal)
{
	unsigned long limit = session->config->policy.bad_recipients_max;

	smtp_refuse(session, refusal);
	if (limit == 0 || ++session->bad_recipients < limit)
		return SMTP_GO_ON;
	smtp_reply(session, "421 too many bad recipients (#4.7.1)");
	return SMTP_LEAVE;
}

/* ---- MAIL, RCPT, DATA ------------------------------------------------------
 */

static enum smtp_next
next_of(enum smtp_consulted consulted)
{
	return consulted == SMTP_CONSULT_LEAVE ? SMTP_LEAVE : SMTP_GO_ON;
}

static enum smtp_next
do_mail(struct smtp_session *session, struct span argument)
{
	struct smtp_config *config = session->config;
	struct span parameters;
	enum smtp_consulted consulted;
	enum smtp_next next;
	uint64_t size;
	bool ok;

	next = read_address(session, argument, &parameters, &ok);
	if (next != SMTP_GO_ON || !ok)
		return next;
	smtp_session_reset(session);
	str_append_span(&session->sender, str_span(&session->address));
	str_clear(&session->address); /* no recipient yet */
	if (config->databytes != 0 && smtp_command_size(parameters, &size) &&
	    size > config->databytes) {
		smtp_refuse(session, &too_big);
		smtp_session_reset(session);
		return SMTP_GO_ON;
	}
	consulted = smtp_consult(session, SMTP_AT_MAIL, &session->sender);
	if (consulted == SMTP_CONSULT_REFUSED ||
	    consulted == SMTP_CONSULT_LEAVE) {
		smtp_session_reset(session);
		return next_of(consulted);
	}
	session->has_mail = true;
	if (consulted == SMTP_CONSULT_GO_ON)
		session->refusal = smtp_policy_judge_sender(&config->policy,
		    session->has_helo ? &session->helo : NULL,
		    &session->sender);
	smtp_reply(session, "250 ok");
	return SMTP_GO_ON;
}

/* Adds session->address to the recipients; replies. */
static enum smtp_next
add_recipient(struct smtp_session *session)
{
	size_t limit = session->config->recipients_max;
	struct str *all = &session->recipients, *address = &session->address;

	if ((limit != 0 && session->recipient_count >= limit) ||
	    address->len >= SMTP_ENVELOPE_MAX - all->len) {
		smtp_refuse(session, &too_many);
		return SMTP_GO_ON;
	}
	/* the NUL that ends every str is copied too */
	if (str_try_reserve(all, address->len + 1) == -1) {
		smtp_reply(session, "421 out of memory (#4.3.0)");
		return SMTP_LEAVE;
	}
	str_append_span(all, str_span(address));
	str_append_char(all, '\0');
	session->recipient_count++;
	smtp_reply(session, "250 ok");
	return SMTP_GO_ON;
}

/*
 * Judges session->address by the plugins and by what control/ says. Replies
 * if it is refused; else returns SMTP_CONSULT_TAKE.
 */
static enum smtp_consulted
judge_recipient(struct smtp_session *session)
{
	struct smtp_config *config = session->config;
	const struct smtp_refusal *refusal = session->refusal;
	enum smtp_consulted consulted;
	int allowed = 1;

	consulted = smtp_consult(session, SMTP_AT_RCPT, &session->address);
	if (consulted != SMTP_CONSULT_GO_ON)
		return consulted;
	if (refusal == NULL && !config->is_relay) {
		allowed = rcpthosts_allows(
		    &config->hosts, str_span(&session->address));
		if (allowed == 0)
			refusal = &not_allowed;
	}
	if (allowed == -1 ||
	    (refusal == NULL &&
		smtp_policy_judge_recipient(
		    &config->policy, &session->address, &refusal) == -1)) {
		(void)smtp_refuse_controls(session);
		return SMTP_CONSULT_LEAVE;
	}
	if (refusal != NULL)
		return refuse_recipient(session, refusal) == SMTP_LEAVE
		    ? SMTP_CONSULT_LEAVE
		    : SMTP_CONSULT_REFUSED;
	consulted = smtp_consult(session, SMTP_AT_PASS, &session->address);
	return consulted == SMTP_CONSULT_GO_ON ? SMTP_CONSULT_TAKE : consulted;
}

static enum smtp_next
do_rcpt(struct smtp_session *session, struct span argument)
{
	struct span parameters;
	enum smtp_consulted consulted;
	enum smtp_next next;
	bool ok;

	if (!session->has_mail) {
		smtp_reply(session, "503 MAIL first (#5.5.1)");
		return SMTP_GO_ON;
	}
	next = read_address(session, argument, &parameters, &ok);
	if (next != SMTP_GO_ON || !ok)
		return next;
	session->asked_count++;
	consulted = judge_recipient(session);
	if (consulted != SMTP_CONSULT_TAKE)
		return next_of(consulted);
	if (session->config->is_relay)
		str_append_cstr(&session->address, session->peer->relay);
	return add_recipient(session);
}

static enum smtp_next
do_data(struct smtp_session *session)
{
	enum smtp_consulted consulted;

	if (!session->has_mail) {
		smtp_reply(session, "503 MAIL first (#5.5.1)");
		return SMTP_GO_ON;
	}
	if (session->recipient_count == 0) {
		smtp_reply(session, "503 RCPT first (#5.5.1)");
		return SMTP_GO_ON;
	}
	str_clear(&session->address);
	consulted = smtp_consult(session, SMTP_AT_DATA, NULL);
	if (consulted == SMTP_CONSULT_REFUSED ||
	    consulted == SMTP_CONSULT_LEAVE)
		return next_of(consulted);
	return smtp_receive(session);
}

static enum smtp_next
do_hello(struct smtp_session *session, bool is_extended, struct span argument)
{
	enum smtp_consulted consulted;

	smtp_session_reset(session);
	session->has_helo = true;
	str_copy(&session->helo, argument);
	consulted = smtp_consult(session, SMTP_AT_HELO, NULL);
	if (consulted == SMTP_CONSULT_REFUSED ||
	    consulted == SMTP_CONSULT_LEAVE)
		return next_of(consulted);
	if (!is_extended) {
		reply_greeting(session, "250 ", "");
		return SMTP_GO_ON;
	}
	reply_greeting(session, "250-", "\r\n250-PIPELINING");
	out_cstr(session->out, "250-SIZE ");
	out_u64(session->out, session->config->databytes);
	smtp_reply(session, "\r\n250 8BITMIME");
	return SMTP_GO_ON;
}

/*
 * Who goes on after many of these speaks another protocol: what follows may be
 * commands that somebody has hidden in it.
 */
static enum smtp_next
refuse_unknown(struct smtp_session *session)
{
	if (++session->unknown > SMTP_UNKNOWN_MAX) {
		smtp_reply(session, "421 too many unknown commands (#4.7.0)");
		return SMTP_LEAVE;
	}
	smtp_reply(session, "502 unimplemented (#5.5.1)");
	return SMTP_GO_ON;
}

static enum smtp_next
do_command(
    struct smtp_session *session, enum smtp_verb verb, struct span argument)
{
	switch (verb) {
	case SMTP_HELO:
	case SMTP_EHLO:
		return do_hello(session, verb == SMTP_EHLO, argument);
	case SMTP_MAIL:
		return do_mail(session, argument);
	case SMTP_RCPT:
		return do_rcpt(session, argument);
	case SMTP_DATA:
		return do_data(session);
	case SMTP_RSET:
		smtp_session_reset(session);
		smtp_reply(session, "250 flushed");
		break;
	case SMTP_NOOP:
		smtp_reply(session, "250 ok");
		break;
	case SMTP_VRFY:
		smtp_reply(
		    session, "252 I do not tell; send your mail and see");
		break;
	case SMTP_HELP:
		smtp_reply(session,
		    "214 cqmail; I know HELO EHLO MAIL RCPT "
		    "DATA RSET NOOP VRFY HELP QUIT");
		break;
	case SMTP_QUIT:
		reply_greeting(session, "221 ", "");
		return SMTP_DONE;
	case SMTP_UNKNOWN:
		return refuse_unknown(session);
	case SMTP_HTTP:
		smtp_reply(session, "421 this is no web server (#4.7.0)");
		return SMTP_LEAVE;
	}
	return SMTP_GO_ON;
}

/* ---- the loop --------------------------------------------------------------
 */

/* Skips the rest of a line that is too long, and counts how much that is. */
static enum smtp_next
refuse_long_line(struct smtp_session *session)
{
	int got = IN_TOO_LONG;

	while (got == IN_TOO_LONG) {
		if (++session->overlong > SMTP_OVERLONG_MAX) {
			smtp_reply(session, "421 too many long lines (#4.7.0)");
			return SMTP_LEAVE;
		}
		got = in_line(session->in, &session->line, SMTP_LINE_MAX);
	}
	if (got != 1)
		return SMTP_BROKEN;
	smtp_reply(session, "500 line too long (#5.5.2)");
	return SMTP_GO_ON;
}

enum smtp_next
smtp_session_run(struct smtp_session *session)
{
	enum smtp_next next = SMTP_GO_ON;

	switch (smtp_consult(session, SMTP_AT_CONNECTION, NULL)) {
	case SMTP_CONSULT_GO_ON:
	case SMTP_CONSULT_TAKE:
		reply_greeting(session, "220 ", " ESMTP");
		break;
	case SMTP_CONSULT_REFUSED:
	case SMTP_CONSULT_LEAVE:
		return SMTP_LEAVE;
	}
	while (next == SMTP_GO_ON) {
		struct span line, argument;
		enum smtp_verb verb;
		int got = in_line(session->in, &session->line, SMTP_LINE_MAX);

		if (got == IN_TOO_LONG) {
			next = refuse_long_line(session);
			continue;
		}
		line = str_span(&session->line);
		/* a line that the end of the connection cut is no command */
		if (got != 1 || line.s[line.len - 1] != '\n') {
			next = SMTP_BROKEN;
			continue;
		}
		verb = smtp_command_parse(line, &argument);
		next = do_command(session, verb, argument);
	}
	if (next == SMTP_BROKEN && session->in->error == ETIMEDOUT)
		smtp_reply(session, "451 timeout (#4.4.2)");
	return next;
}
