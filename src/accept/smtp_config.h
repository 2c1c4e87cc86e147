/*
 * smtp_config - what control/ tells qmail-smtpd
 */
#ifndef ACCEPT_SMTP_CONFIG_H
#define ACCEPT_SMTP_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "accept/smtp_plugins.h"
#include "accept/smtp_policy.h"
#include "base/attr.h"
#include "base/str.h"
#include "conf/rcpthosts.h"

enum {
	SMTP_RECIPIENTS_DEFAULT = 1000, /* without control/maxrcpt */
	SMTP_TIMEOUT_DEFAULT_S = 1200,  /* without control/timeoutsmtpd */
};

struct smtp_config {
	struct str me;          /* if has_me */
	bool has_me;            /* which need not be, with smtpgreeting */
	struct str greeting;    /* smtpgreeting, or me */
	unsigned timeout_s;     /* for one read or write, at least 1 */
	uint64_t databytes;     /* 0: no limit */
	size_t recipients_max;  /* 0: no limit but the envelope's size */
	bool is_relay;          /* the client may relay, whatever hosts says */
	struct rcpthosts hosts; /* for whom mail is taken */
	struct smtp_policy policy; /* whom it is not taken from */
	struct smtp_plugins plugins;
};

/* Sets all of *config; the current directory is the home. Returns 0, or -1 if a
   file cannot be read or there is no greeting. */
MUST_USE int smtp_config_load(struct smtp_config *config, bool is_relay);
/* Replaces *host by what stands for an address literal of this machine. 1; 0 if
   nothing does; -1 if the file cannot be read. */
MUST_USE int smtp_config_literal_host(
    const struct smtp_config *config, struct str *host);
/* True if control/ has none of the files that are read when they are first
   wanted, as control_glance saw it. */
bool smtp_config_is_whole(void);
/* Once more what the environment says, which a plugin has changed. */
MUST_USE int smtp_config_refresh(struct smtp_config *config, bool is_relay);
void smtp_config_free(struct smtp_config *config);

#endif
