#include "accept/smtp_config.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "accept/peer.h"

/* *value stays as it is if the file is missing. */
static int
load_number(const char *path, unsigned long *value)
{
	return control_number(path, value) == -1 ? -1 : 0;
}

static int
load_names(struct smtp_config *config)
{
	int has_me = control_line("control/me", &config->me), found;

	if (has_me == -1)
		return -1;
	config->has_me = has_me == 1;
	found = control_line("control/smtpgreeting", &config->greeting);
	if (found == 0) {
		str_copy(&config->greeting, str_span(&config->me));
		found = has_me;
		errno = ENOENT;
	}
	return found == 1 ? 0 : -1;
}

int
smtp_config_load(struct smtp_config *config, bool is_relay)
{
	unsigned long timeout = SMTP_TIMEOUT_DEFAULT_S;
	unsigned long recipients = SMTP_RECIPIENTS_DEFAULT;

	*config = (struct smtp_config){.me = STR_INIT,
	    .greeting = STR_INIT,
	    .is_relay = is_relay,
	    .hosts = RCPTHOSTS_INIT};
	if (load_names(config) == -1 ||
	    load_number("control/timeoutsmtpd", &timeout) == -1 ||
	    load_number("control/maxrcpt", &recipients) == -1 ||
	    peer_load_databytes(&config->databytes) == -1)
		return -1;
	if (timeout == 0)
		timeout = 1;
	config->timeout_s = timeout > UINT_MAX ? UINT_MAX : (unsigned)timeout;
	config->recipients_max =
	    getenv("DISABLE_MAXRCPT") == NULL ? recipients : 0;
	if (rcpthosts_load(&config->hosts) == -1 ||
	    smtp_plugins_load(&config->plugins) == -1)
		return -1;
	return smtp_policy_load(&config->policy, is_relay);
}

int
smtp_config_literal_host(const struct smtp_config *config, struct str *host)
{
	int found = control_line("control/localiphost", host);

	if (found == 0 && config->has_me) {
		str_copy(host, str_span(&config->me));
		found = 1;
	}
	return found;
}

bool
smtp_config_is_whole(void)
{
	static const char *const later[] = {"control/localiphost",
	    "control/moreipme", "control/notipme", "control/morercpthosts.cdb"};

	for (size_t i = 0; i < COUNT(later); i++) {
		if (!control_is_missing(later[i]))
			return false;
	}
	return true;
}

int
smtp_config_refresh(struct smtp_config *config, bool is_relay)
{
	config->is_relay = config->policy.is_relay = is_relay;
	return peer_load_databytes(&config->databytes);
}

void
smtp_config_free(struct smtp_config *config)
{
	str_free(&config->me);
	str_free(&config->greeting);
	rcpthosts_free(&config->hosts);
	smtp_policy_free(&config->policy);
	smtp_plugins_free(&config->plugins);
}
