#include "send/settings.h"

#include "conf/control.h"

/* control/locals; without it the one name in control/me. */
static int
load_locals(struct control_table *locals)
{
	struct str me = STR_INIT;
	int found = control_list("control/locals", locals);

	if (found != 0)
		return found;
	found = control_line("control/me", &me);
	if (found == 1 && control_list_of(str_span(&me), locals) == -1)
		found = -1;
	str_free(&me);
	return found;
}

/* A map or list that need not be there. */
static int
load_optional(int (*load)(const char *, struct control_table *),
    const char *path, struct control_table *table)
{
	int found = load(path, table);

	if (found == 0)
		found = control_list_of(SPAN_LITERAL(""), table);
	return found == -1 ? -1 : 0;
}

static const char *
load_limits(struct settings *settings)
{
	struct {
		const char *path;
		unsigned long *value, usual;
	} rows[] = {
	    {"control/concurrencylocal", &settings->concurrency[CHANNEL_LOCAL],
		10},
	    {"control/concurrencyremote",
		&settings->concurrency[CHANNEL_REMOTE], 20},
	    {"control/concurrencyhost", &settings->host_jobs, 20},
	    {"control/remoterecipients", &settings->job_recipients, 100},
	    {"control/queuelifetime", &settings->lifetime_s, 604800},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned long value = rows[i].usual;

		if (control_number(rows[i].path, &value) == -1)
			return rows[i].path;
		*rows[i].value = value;
	}
	if (settings->host_jobs == 0)
		settings->host_jobs = 1;
	if (settings->job_recipients == 0)
		settings->job_recipients = 1;
	return NULL;
}

static const char *
load_lines(struct settings *settings)
{
	struct {
		const char *path, *literal;
		struct str *value;
	} rows[] = {
	    {"control/bouncehost", "bouncehost", &settings->bouncehost},
	    {"control/doublebouncehost", "doublebouncehost",
		&settings->doublebouncehost},
	    {"control/envnoathost", "envnoathost",
		&settings->tables.envnoathost},
	};
	int found = control_line("control/bouncefrom", &settings->bouncefrom);

	if (found == -1)
		return "control/bouncefrom";
	if (found == 0)
		str_copy(&settings->bouncefrom, SPAN_LITERAL("MAILER-DAEMON"));
	found =
	    control_line("control/doublebounceto", &settings->doublebounceto);
	if (found == -1)
		return "control/doublebounceto";
	if (found == 0)
		str_copy(&settings->doublebounceto, SPAN_LITERAL("postmaster"));
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (control_line_default_me(
			rows[i].path, rows[i].literal, rows[i].value) != 1)
			return rows[i].path;
	}
	return NULL;
}

const char *
settings_load(struct settings *settings)
{
	const char *bad = load_lines(settings);

	if (bad == NULL)
		bad = load_limits(settings);
	if (bad != NULL)
		return bad;
	if (load_locals(&settings->tables.locals) != 1)
		return "control/locals";
	if (load_optional(control_list, "control/percenthack",
		&settings->tables.percenthack) == -1)
		return "control/percenthack";
	if (load_optional(control_map, "control/virtualdomains",
		&settings->tables.virtualdomains) == -1)
		return "control/virtualdomains";
	return NULL;
}

const char *
settings_reload(struct settings *settings)
{
	struct control_table locals = CONTROL_TABLE_INIT;
	struct control_table virtualdomains = CONTROL_TABLE_INIT;
	const char *bad = NULL;

	if (load_locals(&locals) != 1)
		bad = "control/locals";
	else if (load_optional(control_map, "control/virtualdomains",
		     &virtualdomains) == -1)
		bad = "control/virtualdomains";
	else
		bad = load_limits(settings);
	if (bad != NULL) {
		control_table_free(&locals);
		control_table_free(&virtualdomains);
		return bad;
	}
	control_table_free(&settings->tables.locals);
	control_table_free(&settings->tables.virtualdomains);
	settings->tables.locals = locals;
	settings->tables.virtualdomains = virtualdomains;
	return NULL;
}

void
settings_free(struct settings *settings)
{
	str_free(&settings->bouncefrom);
	str_free(&settings->bouncehost);
	str_free(&settings->doublebounceto);
	str_free(&settings->doublebouncehost);
	classify_tables_free(&settings->tables);
}
