/*
 * What a plugin prints, line by line: whatever it is, an address stays without
 * NUL and CR and within its limit, a header line is one line, and a reply has
 * no byte that ends it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accept/smtp_plugins.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool condition)
{
	if (!condition)
		abort();
}

static void
require_printable(const struct str *text)
{
	for (size_t i = 0; i < text->len; i++)
		require(text->s[i] >= ' ' && text->s[i] <= '~');
}

static void
obey(struct smtp_plugins *plugins, struct span line, enum smtp_stage stage,
    struct out *out)
{
	struct str address = STR_INIT;
	enum smtp_advice advice;
	int result;

	/* what would change this process's own environment is not for here */
	if (line.len > 0 && (line.s[0] == 'S' || line.s[0] == 'U'))
		return;
	result =
	    smtp_plugins_obey(plugins, stage, line, &address, 20, out, &advice);
	require(result >= -1 && result <= 1);
	require(address.len <= 20);
	require(strlen(address.s) == address.len);
	require(strchr(address.s, '\r') == NULL);
	require(plugins->header.len == 0 ||
	    plugins->header.s[plugins->header.len - 1] == '\n');
	require(memchr(plugins->header.s, '\r', plugins->header.len) == NULL);
	require(plugins->header.len <= SMTP_PLUGIN_HEADER_MAX);
	require_printable(&plugins->reply);
	for (size_t i = 0; i < SMTP_STAGES; i++) {
		require_printable(&plugins->always[i]);
		require_printable(&plugins->now[i]);
	}
	str_free(&address);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char buf[4096];
	struct smtp_plugins plugins;
	struct span rest = {(const char *)data, size};
	enum smtp_stage stage = SMTP_AT_CONNECTION;
	struct out out;

	smtp_plugins_init(&plugins);
	out_init(&out, -1, 1, buf, sizeof(buf));
	while (rest.len > 0) {
		size_t end = span_find(rest, '\n');

		obey(&plugins, end == SPAN_NONE ? rest : span_until(rest, end),
		    stage, &out);
		stage = (enum smtp_stage)(((int)stage + 1) % SMTP_STAGES);
		rest = span_from(rest, end == SPAN_NONE ? rest.len : end + 1);
	}
	smtp_plugins_free(&plugins);
	return 0;
}
