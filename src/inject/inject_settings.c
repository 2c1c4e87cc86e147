#include "inject/inject_settings.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "mail/address.h"
#include "mail/token.h"

/* The first of up to four variables that is set, or NULL. */
static const char *
first_set(const char *const *variables)
{
	for (size_t i = 0; i < 4 && variables[i] != NULL; i++) {
		const char *value = getenv(variables[i]);

		if (value != NULL)
			return value;
	}
	return NULL;
}

static void
load_letters(struct inject_settings *settings)
{
	const char *letters = getenv("QMAILINJECT");

	for (; letters != NULL && *letters != '\0'; letters++) {
		switch (*letters) {
		case 'c':
			settings->name_as_comment = true;
			break;
		case 's':
			settings->ignore_return_path = true;
			break;
		case 'f':
			settings->drop_from = true;
			break;
		case 'i':
			settings->drop_message_id = true;
			break;
		case 'r':
			settings->verp_recipient = true;
			break;
		case 'm':
			settings->verp_message = true;
			break;
		default:
			break;
		}
	}
}

static void
load_person(struct inject_settings *settings)
{
	static const char *const users[] = {
	    "QMAILUSER", "MAILUSER", "USER", "LOGNAME"};
	static const char *const hosts[] = {"QMAILHOST", "MAILHOST", NULL};
	static const char *const names[] = {
	    "QMAILNAME", "MAILNAME", "NAME", NULL};
	const char *user = first_set(users), *host = first_set(hosts);
	const char *name = first_set(names);
	const char *sender_user = getenv("QMAILSUSER");
	const char *sender_host = getenv("QMAILSHOST");

	if (user == NULL)
		user = "anonymous";
	if (sender_user == NULL)
		sender_user = user;
	if (sender_host == NULL)
		sender_host = host;
	settings->user = span_of(user);
	settings->name = span_of(name != NULL ? name : "");
	settings->has_host = host != NULL;
	settings->host = span_of(host != NULL ? host : "");
	settings->sender_user = span_of(sender_user);
	settings->has_sender_host = sender_host != NULL;
	settings->sender_host = span_of(sender_host != NULL ? sender_host : "");
}

/* The name of the file is relative to the caller's directory: to be read
   before the change to the home. A file that is not there names no list. */
static void
load_lists(struct inject_settings *settings)
{
	const char *path = getenv("QMAILMFTFILE");
	int found;

	if (path == NULL)
		return;
	found = control_list(path, &settings->lists);
	if (found == -1)
		die_sys("unable to read %s", quote(path));
	settings->has_lists = found == 1;
}

/* A name from the environment, or else from control/. */
static void
load_name(struct str *value, const char *variable, const char *file)
{
	const char *set = getenv(variable);
	struct str path = STR_INIT;

	if (set != NULL) {
		str_copy(value, span_of(set));
		return;
	}
	str_format(&path, "control/%s", file);
	if (control_line_default_me(path.s, file, value) == -1)
		die_sys("unable to read %s", path.s);
	str_free(&path);
}

void
inject_settings_load(struct inject_settings *settings)
{
	struct str host = STR_INIT, domain = STR_INIT, plus = STR_INIT;

	*settings = (struct inject_settings){
	    .rules = REWRITE_INIT,
	    .idhost = STR_INIT,
	    .lists = CONTROL_TABLE_INIT,
	    .now_s = clock_now(),
	    .pid = getpid(),
	};
	load_letters(settings);
	load_person(settings);
	load_lists(settings);
	if (control_home() == -1)
		die_sys("unable to change to %s", quote(control_home_path()));
	load_name(&domain, "QMAILDEFAULTDOMAIN", "defaultdomain");
	load_name(&host, "QMAILDEFAULTHOST", "defaulthost");
	load_name(&plus, "QMAILPLUSDOMAIN", "plusdomain");
	load_name(&settings->idhost, "QMAILIDHOST", "idhost");
	rewrite_set(&settings->rules, str_span(&host), str_span(&domain),
	    str_span(&plus));
	str_free(&host);
	str_free(&domain);
	str_free(&plus);
}

void
inject_settings_free(struct inject_settings *settings)
{
	rewrite_free(&settings->rules);
	str_free(&settings->idhost);
	control_table_free(&settings->lists);
}

void
inject_settings_append_sender(
    struct str *to, const struct inject_settings *settings)
{
	struct str local = STR_INIT;

	str_append_span(&local, settings->sender_user);
	if (settings->verp_message) {
		str_append_char(&local, '-');
		str_append_u64(&local, (uint64_t)settings->now_s);
		str_append_char(&local, '.');
		str_append_u64(&local, (uint64_t)settings->pid);
	}
	if (settings->verp_recipient)
		str_append_char(&local, '-');
	/* "x@" and "x" are the same to the rules, but "" alone is nobody */
	rewrite_append(to, &settings->rules, str_span(&local), true,
	    settings->sender_host);
	if (settings->verp_recipient)
		str_append_cstr(to, "-@[]");
	str_free(&local);
}

/* Control bytes in what goes into a header: a line end would start a field. */
static void
append_clean(struct str *to, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.s[i];

		str_append_char(
		    to, byte == '\n' || byte == '\r' ? ' ' : (char)byte);
	}
}

void
inject_settings_append_from(
    struct str *to, const struct inject_settings *settings, const char *name)
{
	struct str raw = STR_INIT, address = STR_INIT, full = STR_INIT;

	rewrite_append(
	    &raw, &settings->rules, settings->user, true, settings->host);
	append_clean(&address, str_span(&raw));
	append_clean(&full, settings->name);
	str_append_format(to, "%s: ", name);
	if (full.len == 0) {
		address_append_quoted(to, str_span(&address));
	} else if (settings->name_as_comment) {
		address_append_quoted(to, str_span(&address));
		str_append_char(to, ' ');
		token_append_escaped(to, '(', str_span(&full), ')');
	} else {
		token_append_escaped(to, '"', str_span(&full), '"');
		str_append_cstr(to, " <");
		address_append_quoted(to, str_span(&address));
		str_append_char(to, '>');
	}
	str_free(&raw);
	str_free(&address);
	str_free(&full);
}

void
inject_settings_append_id(
    struct str *to, const struct inject_settings *settings)
{
	time_t when = (time_t)settings->now_s;
	struct tm at;

	if (gmtime_r(&when, &at) == NULL)
		die_sys("unable to tell the time");
	str_append_format(to, "%04d%02d%02d%02d%02d%02d.%ld.qmail@",
	    1900 + at.tm_year, at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min,
	    at.tm_sec, (long)settings->pid);
	append_clean(to, str_span(&settings->idhost));
}
