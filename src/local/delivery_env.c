#include "local/delivery_env.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mail/address.h"

void
delivery_append_dtline(struct str *to, struct span local, struct span domain)
{
	str_append_cstr(to, "Delivered-To: ");
	address_append_safe(to, local, false);
	str_append_char(to, '@');
	address_append_safe(to, domain, false);
	str_append_char(to, '\n');
}

void
delivery_append_rpline(struct str *to, struct span sender)
{
	struct str quoted = STR_INIT;

	address_append_quoted(&quoted, sender);
	str_append_cstr(to, "Return-Path: <");
	address_append_safe(to, str_span(&quoted), false);
	str_append_cstr(to, ">\n");
	str_free(&quoted);
}

void
delivery_append_ufline(struct str *to, struct span sender, int64_t when_s)
{
	if (sender.len == 0)
		sender = SPAN_LITERAL("MAILER-DAEMON");
	str_append_cstr(to, "From ");
	for (size_t i = 0; i < sender.len; i++) {
		char byte = sender.s[i];

		if (byte == ' ' || byte == '\t' || byte == '\n')
			byte = '-';
		str_append_char(to, byte);
	}
	str_append_char(to, ' ');
	clock_append_mbox(to, when_s);
	str_append_char(to, '\n');
}

struct span
delivery_ext(struct span ext, unsigned count)
{
	while (count-- > 0) {
		size_t dash = span_find(ext, '-');

		if (dash == SPAN_NONE)
			return span_from(ext, ext.len);
		ext = span_from(ext, dash + 1);
	}
	return ext;
}

struct span
delivery_host(struct span domain, unsigned count)
{
	while (count-- > 0) {
		size_t dot = span_find_last(domain, '.');

		if (dot == SPAN_NONE)
			break;
		domain = span_until(domain, dot);
	}
	return domain;
}

const char *
delivery_env_plain(const char *value)
{
	return value[0] == ' ' && span_is_function(span_of(value)) ? value + 1
								   : value;
}

/* Every name that a delivery sets, DEFAULT aside. */
enum {
	VAR_HOST,
	VAR_HOST2,
	VAR_HOST3,
	VAR_HOST4,
	VAR_HOME,
	VAR_USER,
	VAR_LOCAL,
	VAR_EXT,
	VAR_EXT2,
	VAR_EXT3,
	VAR_EXT4,
	VAR_SENDER,
	VAR_NEWSENDER,
	VAR_RECIPIENT,
	VAR_DTLINE,
	VAR_RPLINE,
	VAR_UFLINE,
	VAR_DEFAULT, /* the last one: it may be left out */
	VARS
};

static const char *const names[VARS] = {
    [VAR_HOST] = "HOST",
    [VAR_HOST2] = "HOST2",
    [VAR_HOST3] = "HOST3",
    [VAR_HOST4] = "HOST4",
    [VAR_HOME] = "HOME",
    [VAR_USER] = "USER",
    [VAR_LOCAL] = "LOCAL",
    [VAR_EXT] = "EXT",
    [VAR_EXT2] = "EXT2",
    [VAR_EXT3] = "EXT3",
    [VAR_EXT4] = "EXT4",
    [VAR_SENDER] = "SENDER",
    [VAR_NEWSENDER] = "NEWSENDER",
    [VAR_RECIPIENT] = "RECIPIENT",
    [VAR_DTLINE] = "DTLINE",
    [VAR_RPLINE] = "RPLINE",
    [VAR_UFLINE] = "UFLINE",
    [VAR_DEFAULT] = "DEFAULT",
};

/* True if entry is "NAME=..." with one of the first count names. */
static bool
is_ours(const char *entry, size_t count)
{
	struct span name = span_of(entry);
	size_t equals = span_find(name, '=');

	if (equals == SPAN_NONE)
		return false;
	name = span_until(name, equals);
	for (size_t i = 0; i < count; i++) {
		if (span_is(name, names[i]))
			return true;
	}
	return false;
}

static void
append_var(struct str *text, const char *name, struct span value)
{
	str_append_cstr(text, name);
	str_append_char(text, '=');
	if (span_is_function(value))
		str_append_char(text, ' ');
	str_append_span(text, value);
	str_append_char(text, '\0');
}

void
delivery_env_build(struct delivery_env *env, const struct delivery_facts *facts,
    char *const *inherited)
{
	const struct local_job *job = facts->job;
	size_t ours = facts->has_default ? VARS : VARS - 1;
	size_t count = 0, used = 0;
	struct str recipient = STR_INIT;
	char *at;

	str_append_span(&recipient, job->local);
	str_append_char(&recipient, '@');
	str_append_span(&recipient, job->domain);

	const struct span values[VARS] = {
	    [VAR_HOST] = job->domain,
	    [VAR_HOST2] = delivery_host(job->domain, 1),
	    [VAR_HOST3] = delivery_host(job->domain, 2),
	    [VAR_HOST4] = delivery_host(job->domain, 3),
	    [VAR_HOME] = job->homedir,
	    [VAR_USER] = job->user,
	    [VAR_LOCAL] = job->local,
	    [VAR_EXT] = job->ext,
	    [VAR_EXT2] = delivery_ext(job->ext, 1),
	    [VAR_EXT3] = delivery_ext(job->ext, 2),
	    [VAR_EXT4] = delivery_ext(job->ext, 3),
	    [VAR_SENDER] = job->sender,
	    [VAR_NEWSENDER] = facts->newsender,
	    [VAR_RECIPIENT] = str_span(&recipient),
	    [VAR_DTLINE] = facts->dtline,
	    [VAR_RPLINE] = facts->rpline,
	    [VAR_UFLINE] = facts->ufline,
	    [VAR_DEFAULT] = facts->default_part,
	};

	str_clear(&env->text);
	for (size_t i = 0; i < ours; i++)
		append_var(&env->text, names[i], values[i]);
	str_free(&recipient);

	while (inherited[count] != NULL)
		count++;
	env->vars =
	    mem_resize(env->vars, count + ours + 1, sizeof(env->vars[0]));
	for (size_t i = 0; i < count; i++) {
		if (!is_ours(inherited[i], ours))
			env->vars[used++] = inherited[i];
	}
	at = env->text.s;
	for (size_t i = 0; i < ours; i++) {
		env->vars[used++] = at;
		at += strlen(at) + 1;
	}
	env->vars[used] = NULL;
}

void
delivery_env_free(struct delivery_env *env)
{
	str_free(&env->text);
	free(env->vars);
	env->vars = NULL;
}
