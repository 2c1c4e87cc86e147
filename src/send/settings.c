#include "send/settings.h"

#include "conf/control.h"

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
	    {"control/bouncemaxbytes", &settings->bounce_max_bytes, 0},
	    {"control/doublebouncerate", &settings->double_per_hour, 100},
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
	return classify_tables_load(&settings->tables);
}

const char *
settings_reload(struct settings *settings)
{
	struct settings old = *settings;
	const char *bad = load_limits(settings);

	if (bad == NULL)
		bad = classify_tables_reload(&settings->tables);
	if (bad != NULL)
		*settings = old; /* the limits; a failure leaves the tables */
	return bad;
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
