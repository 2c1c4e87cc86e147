/*
 * inject_message - what qmail-inject makes of a header: its recipients, its
 * sender, and the header as it is to be queued
 */
#ifndef INJECT_INJECT_MESSAGE_H
#define INJECT_INJECT_MESSAGE_H

#include <stdbool.h>

#include "base/span.h"
#include "base/str.h"
#include "inject/inject_settings.h"
#include "mail/address_list.h"
#include "mail/header.h"

struct inject_message {
	bool seen[HEADER_TYPES];
	bool is_resent;
	struct str fields; /* rewritten, without those that are removed */
	/* from To, Cc, Bcc and Apparently-To, in the order of the envelope */
	struct address_list recipients;
	struct address_list resent; /* from Resent-To, -Cc and -Bcc */
	struct address_list listed; /* from To and Cc, for Mail-Followup-To */
	bool has_sender;            /* a Return-Path named one */
	struct str sender;
};

#define INJECT_MESSAGE_INIT                                                    \
	{                                                                      \
		.fields = STR_INIT, .recipients = ADDRESS_LIST_INIT,           \
		.resent = ADDRESS_LIST_INIT, .listed = ADDRESS_LIST_INIT,      \
		.sender = STR_INIT                                             \
	}

/*
 * Reads header, as header_add_line made it. Returns 0; or -1 if a sender field
 * cannot be parsed: then *fault is that field.
 */
MUST_USE int inject_message_read(struct inject_message *message,
    const struct inject_settings *settings, struct span header,
    struct span *fault);
/* Appends the fields that were missing, then the others. */
void inject_message_append(struct str *to, const struct inject_message *message,
    const struct inject_settings *settings);
/* The recipients that the header names. */
const struct address_list *inject_message_recipients(
    const struct inject_message *message);
void inject_message_free(struct inject_message *message);

#endif
