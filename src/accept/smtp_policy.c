#include "accept/smtp_policy.h"

#include <errno.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/num.h"
#include "mail/address.h"

static const struct smtp_refusal bad_helo = {
    550, "badhelo", "550 sorry, your HELO name is in my badhelo list (#5.7.1)"};
static const struct smtp_refusal bad_sender = {553, "badmailfrom",
    "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)"};
static const struct smtp_refusal null_sender = {553, "rejectnullsenders",
    "553 sorry, I take no mail without a sender (#5.7.1)"};
static const struct smtp_refusal bad_recipient = {553, "badrcptto",
    "553 sorry, that recipient is in my badrcptto list (#5.7.1)"};
static const struct smtp_refusal relay_test = {553, "rejectrelaytest",
    "553 sorry, I do not relay by addresses like that (#5.7.1)"};
static const struct smtp_refusal no_such_recipient = {
    550, "validrcptto", "550 sorry, no mailbox here by that name (#5.1.1)"};

/* A value of the environment, or otherwise if it is unset or empty. */
static const char *
environment(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : otherwise;
}

static int
load_patterns(struct patterns *patterns, const char *path)
{
	struct str trouble = STR_INIT;
	int result = patterns_load(patterns, path, &trouble);

	if (trouble.len > 0)
		warn_plain("%s", trouble.s);
	str_free(&trouble);
	return result;
}

/* All files of patterns; those about HELO only if the name is asked for. */
static int
load_all_patterns(struct smtp_policy *policy)
{
	const struct {
		struct patterns *patterns;
		const char *path;
		bool is_helo;
	} files[] = {
	    {&policy->helos, "control/badhelo", true},
	    {&policy->strange_helos, "control/badhelonorelay", true},
	    {&policy->strange_senders, "control/badmailfromnorelay", false},
	    {&policy->recipients, "control/badrcptto", false},
	    {&policy->strange_recipients, "control/badrcpttonorelay", false},
	};
	bool asks_helo = getenv("NOBADHELO") == NULL;

	for (size_t i = 0; i < COUNT(files); i++) {
		if ((asks_helo || !files[i].is_helo) &&
		    load_patterns(files[i].patterns, files[i].path) == -1)
			return -1;
	}
	return 0;
}

static int
load_flag(const char *path, bool *flag)
{
	unsigned long number = 0;

	if (control_number(path, &number) == -1)
		return -1;
	*flag = number != 0;
	return 0;
}

static int
load_limit(unsigned long *limit)
{
	const char *text = getenv("BRTLIMIT");
	uint64_t number = 0;

	if (text == NULL)
		return control_number("control/brtlimit", limit) == -1 ? -1 : 0;
	(void)num_leading_u64(span_of(text), &number); /* none: no limit */
	*limit = (unsigned long)number;
	return 0;
}

static int
load_valid(struct smtp_policy *policy)
{
	int has_list, has_more;

	has_list = control_list(
	    environment("VALIDRCPTTO", "control/validrcptto"), &policy->valid);
	has_more = key_database_open(&policy->more_valid);
	policy->has_valid = has_list == 1 || has_more == 1;
	return has_list == -1 || has_more == -1 ? -1 : 0;
}

void
smtp_policy_init(struct smtp_policy *policy, bool is_relay)
{
	*policy = (struct smtp_policy){.is_relay = is_relay,
	    .bad_senders = CONTROL_TABLE_INIT,
	    .helos = PATTERNS_INIT,
	    .recipients = PATTERNS_INIT,
	    .strange_helos = PATTERNS_INIT,
	    .strange_senders = PATTERNS_INIT,
	    .strange_recipients = PATTERNS_INIT,
	    .valid = CONTROL_TABLE_INIT,
	    .more_valid = KEY_DATABASE_INIT(environment(
		"MOREVALIDRCPTTO_CDB", "control/morevalidrcptto.cdb"))};
}

int
smtp_policy_load(struct smtp_policy *policy, bool is_relay)
{
	smtp_policy_init(policy, is_relay);
	if (control_list("control/badmailfrom", &policy->bad_senders) == -1 ||
	    load_all_patterns(policy) == -1 ||
	    load_flag("control/rejectnullsenders", &policy->is_null_bad) ==
		-1 ||
	    load_flag("control/rejectrelaytest", &policy->is_relay_test_bad) ==
		-1 ||
	    load_limit(&policy->bad_recipients_max) == -1)
		return -1;
	return load_valid(policy);
}

void
smtp_policy_free(struct smtp_policy *policy)
{
	patterns_free(&policy->helos);
	patterns_free(&policy->recipients);
	patterns_free(&policy->strange_helos);
	patterns_free(&policy->strange_senders);
	patterns_free(&policy->strange_recipients);
	control_table_free(&policy->bad_senders);
	control_table_free(&policy->valid);
	key_database_free(&policy->more_valid);
}

/* True if address, or "@" and its domain, is an entry. */
static bool
is_listed(const struct control_table *table, struct span address)
{
	size_t at = address_at(address);

	if (table->entry_count == 0)
		return false;
	return control_has(table, address) ||
	    (at != SPAN_NONE && control_has(table, span_from(address, at)));
}

static bool
is_bad(const struct smtp_policy *policy, const struct patterns *of_all,
    const struct patterns *of_strangers, const struct str *text)
{
	return patterns_match(of_all, text) ||
	    (!policy->is_relay && patterns_match(of_strangers, text));
}

const struct smtp_refusal *
smtp_policy_judge_sender(const struct smtp_policy *policy,
    const struct str *helo_or_null, const struct str *sender)
{
	if (helo_or_null != NULL &&
	    is_bad(
		policy, &policy->helos, &policy->strange_helos, helo_or_null))
		return &bad_helo;
	if (is_listed(&policy->bad_senders, str_span(sender)) ||
	    (!policy->is_relay &&
		patterns_match(&policy->strange_senders, sender)))
		return &bad_sender;
	if (policy->is_null_bad && sender->len == 0)
		return &null_sender;
	return NULL;
}

/* Forms by which a host can be asked to pass mail on: another '@', '%' or '!'
   in the local part. */
static bool
is_relay_test(struct span recipient)
{
	struct span local = address_local(recipient);

	return span_find(local, '@') != SPAN_NONE ||
	    span_find(local, '%') != SPAN_NONE ||
	    span_find(local, '!') != SPAN_NONE;
}

static int
is_valid(struct smtp_policy *policy, struct span recipient)
{
	size_t at = address_at(recipient);
	int found;

	if (!policy->has_valid || is_listed(&policy->valid, recipient))
		return 1;
	found = key_database_has(&policy->more_valid, recipient);
	if (found == 0 && at != SPAN_NONE)
		found = key_database_has(
		    &policy->more_valid, span_from(recipient, at));
	return found;
}

int
smtp_policy_judge_recipient(struct smtp_policy *policy,
    const struct str *recipient, const struct smtp_refusal **refusal)
{
	int found;

	*refusal = NULL;
	if (is_bad(policy, &policy->recipients, &policy->strange_recipients,
		recipient)) {
		*refusal = &bad_recipient;
		return 0;
	}
	if (policy->is_relay)
		return 0;
	if (policy->is_relay_test_bad && is_relay_test(str_span(recipient))) {
		*refusal = &relay_test;
		return 0;
	}
	found = is_valid(policy, str_span(recipient));
	if (found == 0)
		*refusal = &no_such_recipient;
	return found == -1 ? -1 : 0;
}
