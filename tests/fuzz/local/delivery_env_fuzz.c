/*
 * The environment and the header lines of a delivery, from fields that end
 * with NUL: each variable is there once, whatever was inherited, no value is a
 * function to a shell, and each header line is one line.
 */
#include "../fuzz.h"

#include "local/delivery_env.h"

static const char *const names[] = {"HOST", "HOST2", "HOST3", "HOST4", "HOME",
    "USER", "LOCAL", "EXT", "EXT2", "EXT3", "EXT4", "SENDER", "NEWSENDER",
    "RECIPIENT", "DTLINE", "RPLINE", "UFLINE", "DEFAULT"};

static const char *
value_of(char *const *vars, const char *name)
{
	const char *value = NULL;
	size_t len = strlen(name);

	for (size_t i = 0; vars[i] != NULL; i++) {
		if (strncmp(vars[i], name, len) == 0 && vars[i][len] == '=') {
			require(value == NULL); /* there is only one */
			value = vars[i] + len + 1;
		}
	}
	return value;
}

static void
check_value(const char *value, struct span field)
{
	require(value != NULL);
	require(strncmp(value, "() {", 4) != 0);
	require(span_is(field, delivery_env_plain(value)));
}

static void
check_line(const struct str *line, const char *start)
{
	require(strncmp(line->s, start, strlen(start)) == 0);
	require(fuzz_count(str_span(line), '\n') == 1);
	require(line->s[line->len - 1] == '\n');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = {(const char *)data, size};
	struct delivery_env env = DELIVERY_ENV_INIT;
	struct str dtline = STR_INIT, rpline = STR_INIT, ufline = STR_INIT;
	struct str inherited = STR_INIT;
	char path[] = "PATH=/bin", host[] = "HOST", user[] = "USER=root";
	char *vars[] = {NULL, path, host, user, NULL};
	struct local_job job = {0};
	struct delivery_facts facts = {.job = &job};

	facts.has_default = fuzz_byte(&input) & 1;
	str_copy(&inherited, fuzz_until(&input, '\0'));
	vars[0] = inherited.s;
	job.user = fuzz_until(&input, '\0');
	job.homedir = fuzz_until(&input, '\0');
	job.local = fuzz_until(&input, '\0');
	job.ext = fuzz_until(&input, '\0');
	job.domain = fuzz_until(&input, '\0');
	job.sender = fuzz_until(&input, '\0');
	facts.default_part = fuzz_until(&input, '\0');
	facts.newsender = fuzz_until(&input, '\0');
	delivery_append_dtline(&dtline, job.local, job.domain);
	delivery_append_rpline(&rpline, job.sender);
	delivery_append_ufline(&ufline, job.sender, (int64_t)size);
	check_line(&dtline, "Delivered-To: ");
	check_line(&rpline, "Return-Path: <");
	check_line(&ufline, "From ");
	facts.dtline = str_span(&dtline);
	facts.rpline = str_span(&rpline);
	facts.ufline = str_span(&ufline);
	for (int i = 0; i < 2; i++) /* and once more in the same place */
		delivery_env_build(&env, &facts, vars);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = value_of(env.vars, names[i]);

		require(value != NULL || strcmp(names[i], "DEFAULT") == 0);
	}
	check_value(value_of(env.vars, "HOST"), job.domain);
	check_value(value_of(env.vars, "HOME"), job.homedir);
	check_value(value_of(env.vars, "USER"), job.user);
	check_value(value_of(env.vars, "LOCAL"), job.local);
	check_value(value_of(env.vars, "EXT"), job.ext);
	check_value(value_of(env.vars, "SENDER"), job.sender);
	check_value(value_of(env.vars, "NEWSENDER"), facts.newsender);
	if (facts.has_default)
		check_value(value_of(env.vars, "DEFAULT"), facts.default_part);
	delivery_env_free(&env);
	str_free(&inherited);
	str_free(&dtline);
	str_free(&rpline);
	str_free(&ufline);
	return 0;
}
