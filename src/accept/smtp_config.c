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

int
smtp_config_load(struct smtp_config *config, bool is_relay)
{
	unsigned long timeout = SMTP_TIMEOUT_DEFAULT_S;
	unsigned long recipients = SMTP_RECIPIENTS_DEFAULT;

	*config = (struct smtp_config){.greeting = STR_INIT,
	    .is_relay = is_relay,
	    .hosts = RCPTHOSTS_INIT};
	errno = ENOENT; /* for a greeting that is nowhere */
	if (control_line_default_me(
		"control/smtpgreeting", NULL, &config->greeting) != 1)
		return -1;
	if (load_number("control/timeoutsmtpd", &timeout) == -1 ||
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
smtp_config_refresh(struct smtp_config *config, bool is_relay)
{
	config->is_relay = config->policy.is_relay = is_relay;
	return peer_load_databytes(&config->databytes);
}

void
smtp_config_free(struct smtp_config *config)
{
	str_free(&config->greeting);
	rcpthosts_free(&config->hosts);
	smtp_policy_free(&config->policy);
	smtp_plugins_free(&config->plugins);
}
