#include "accept/smtp_consult.h"

#include <stdlib.h>

#include "base/die.h"
#include "base/num.h"

static void
tell(const char *name, const char *value)
{
	/* without memory plugins would decide about something else */
	if (value == NULL ? unsetenv(name) == -1 : setenv(name, value, 1) == -1)
		die_sys("cannot set %s", name);
}

static void
tell_number(const char *name, size_t value)
{
	struct str text = STR_INIT;

	str_format(&text, "%zu", value);
	tell(name, text.s);
	str_free(&text);
}

/* What the client said. A shell must not take it for a function of its own:
   with a space in front it does not. */
static void
tell_words(const char *name, const char *words)
{
	struct str text = STR_INIT;

	if (words != NULL && span_is_function(span_of(words))) {
		str_format(&text, " %s", words);
		words = text.s;
	}
	tell(name, words);
	str_free(&text);
}

/* True if the client may send to the recipient, as far as its host goes. */
static bool
is_allowed(struct smtp_session *session)
{
	struct smtp_config *config = session->config;

	return config->is_relay ||
	    rcpthosts_allows(&config->hosts, str_span(&session->address)) == 1;
}

static void
tell_plugins(struct smtp_session *session, enum smtp_stage stage)
{
	bool is_recipient = stage == SMTP_AT_RCPT || stage == SMTP_AT_PASS;

	tell_words("SMTPHELOHOST", session->has_helo ? session->helo.s : NULL);
	tell_words("SMTPMAILFROM",
	    stage == SMTP_AT_MAIL || session->has_mail ? session->sender.s
						       : NULL);
	tell_words("SMTPRCPTTO", is_recipient ? session->address.s : NULL);
	tell("SMTPRCPTHOSTSOK",
	    is_recipient && is_allowed(session) ? "1" : NULL);
	tell_number("SMTPRCPTCOUNT", session->recipient_count);
	tell_number("SMTPRCPTCOUNTALL", session->asked_count);
}

/* Says what a plugin, now or earlier, wants to be said. */
static void
refuse_for_plugin(struct smtp_session *session, const char *reply)
{
	uint64_t code = 0;

	(void)num_leading_u64(span_of(reply), &code); /* none: 0 */
	smtp_refuse(
	    session, &(struct smtp_refusal){(unsigned)code, "plugin", reply});
}

enum smtp_consulted
smtp_consult(
    struct smtp_session *session, enum smtp_stage stage, struct str *address)
{
	struct smtp_plugins *plugins = &session->config->plugins;
	const char *earlier = smtp_plugins_refusal(plugins, stage);
	enum smtp_advice advice;

	if (earlier != NULL) {
		refuse_for_plugin(session, earlier);
		return SMTP_CONSULT_REFUSED;
	}
	if (!smtp_plugins_has(plugins))
		return SMTP_CONSULT_GO_ON;
	tell_plugins(session, stage);
	advice = smtp_plugins_ask(
	    plugins, stage, address, SMTP_ADDRESS_MAX, session->out);
	if (plugins->has_set) {
		session->peer->relay = getenv("RELAYCLIENT");
		plugins->has_set = false;
		if (smtp_config_refresh(
			session->config, session->peer->relay != NULL) == -1) {
			(void)smtp_refuse_controls(session);
			return SMTP_CONSULT_LEAVE;
		}
	}
	if (advice == SMTP_ADVICE_SKIP_CHECKS)
		return SMTP_CONSULT_TAKE;
	if (advice == SMTP_ADVICE_GO_ON)
		return SMTP_CONSULT_GO_ON;
	if (plugins->reply.len > 0)
		refuse_for_plugin(session, plugins->reply.s);
	return advice == SMTP_ADVICE_CLOSE ? SMTP_CONSULT_LEAVE
					   : SMTP_CONSULT_REFUSED;
}
